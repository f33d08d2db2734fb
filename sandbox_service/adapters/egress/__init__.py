"""Egress: the one way out of a sandbox, a proxy that knows a few targets."""
