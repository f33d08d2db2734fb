"""The gRPC face: Protobuf in, use case, Protobuf out."""
