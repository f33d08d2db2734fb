"""What the router does, one verb a file."""
