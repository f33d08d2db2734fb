"""The router's contract over gRPC."""
