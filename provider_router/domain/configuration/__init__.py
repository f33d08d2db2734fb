"""What the operator's files say wrongly."""
