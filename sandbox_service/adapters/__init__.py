"""Implementations of the sandbox's ports."""
