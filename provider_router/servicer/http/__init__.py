"""The router over HTTP: the surfaces of OpenAI and Anthropic, with the use cases that gRPC serves too."""
