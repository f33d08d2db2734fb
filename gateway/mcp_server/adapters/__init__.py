"""The services behind the ports, over gRPC."""
