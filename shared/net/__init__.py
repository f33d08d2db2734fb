"""Where connections may go: rules about addresses, and HTTP sessions that hold to them when they connect."""
