"""What the MCP server speaks of: pure data and functions."""
