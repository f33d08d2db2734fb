"""How the router reaches providers, its configuration file and its metrics."""
