"""What a run, a conversation and a tool call are: plain data and pure functions."""
