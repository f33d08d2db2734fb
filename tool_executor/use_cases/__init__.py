"""What callers do with tools: list them, look at one, run one."""
