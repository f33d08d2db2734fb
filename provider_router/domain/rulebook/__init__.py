"""Routing rules: policies, requirements, preferences, tiers."""
