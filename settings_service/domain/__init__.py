"""Configuration, keys and roles as pure data and functions."""
