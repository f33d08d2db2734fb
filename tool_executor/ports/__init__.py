"""What the tool executor needs from outside, one Protocol a file."""
