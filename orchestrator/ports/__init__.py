"""What the use cases need from the world, one Protocol a file."""
