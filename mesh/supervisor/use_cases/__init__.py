"""What the supervisor does: watch over one process, and over a mesh of them."""
