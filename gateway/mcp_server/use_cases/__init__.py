"""What the MCP server does."""
