"""Tasks: what kind a request is, how hard, and how long its answer will be."""
