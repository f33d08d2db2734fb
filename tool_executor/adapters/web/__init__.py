"""The web: a client that goes where it may, the gates that say where that is, and search engines."""
