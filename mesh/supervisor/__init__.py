"""The supervisor: one process per service, started, watched, restarted and stopped together."""
