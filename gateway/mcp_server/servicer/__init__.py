"""HTTP and MCP: requests to use cases, and back."""
