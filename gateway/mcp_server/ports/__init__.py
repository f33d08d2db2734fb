"""What the MCP server needs of the services."""
