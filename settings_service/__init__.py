"""The settings service: organisations, users, keys, and the configuration of each organisation."""
