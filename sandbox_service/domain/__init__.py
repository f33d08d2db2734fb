"""Programs, limits, outcomes and isolation, as plain data and pure functions."""
