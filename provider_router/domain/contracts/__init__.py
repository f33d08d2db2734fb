"""Contracts, the services that they bind to providers, and the registry that holds them."""
