"""Decisions: what they depend on, what they say, and how they are written down and proved."""
