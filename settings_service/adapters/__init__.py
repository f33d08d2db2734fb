"""The ports over SQLite, files and gRPC."""
