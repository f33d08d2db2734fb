"""MCP servers over the official SDK: transports that hold to this installation's limits, and connections."""
