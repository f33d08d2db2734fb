"""What the sandbox does, one verb a file."""
