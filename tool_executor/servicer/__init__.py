"""The gRPC face of the tool executor: messages in, use cases, messages out."""
