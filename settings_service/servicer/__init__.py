"""gRPC in and out: one file an RPC family, and the conversions."""
