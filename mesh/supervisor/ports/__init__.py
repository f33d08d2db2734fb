"""What the supervisor needs from the machine."""
