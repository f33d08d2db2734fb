"""The tools, their decorators, and the ways to the services and processes that they use."""
