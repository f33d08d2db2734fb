"""What the sandbox needs from outside, one Protocol a file."""
