"""The ports over real technology: SQLite, LangGraph, gRPC."""
