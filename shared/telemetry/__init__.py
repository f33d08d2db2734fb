"""Logs, metrics and traces. Telemetry is write-only: no decision reads it."""
