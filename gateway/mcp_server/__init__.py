"""Nexus as an MCP server: its tools, its agent and its artifacts for MCP clients, over streamable HTTP."""
