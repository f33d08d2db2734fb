"""The service's side of isolation by namespaces: starting, watching and accounting for launchers."""
