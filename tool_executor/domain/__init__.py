"""Tools, calls and results as values, and the pure rules about them."""
