"""What the router needs from outside, one protocol a file."""
