"""The gRPC face of the sandbox."""
