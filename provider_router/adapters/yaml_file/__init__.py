"""Reads `providers.yaml` and says on which line it is wrong."""
