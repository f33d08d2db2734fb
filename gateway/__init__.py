"""Edges: other ways into Nexus than gRPC. Each is a process of its own that calls the services for its callers."""
