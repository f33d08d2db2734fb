"""What the commands of `nexus sandbox` share."""
