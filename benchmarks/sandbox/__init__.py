"""The sandbox, measured on its own: `python -m benchmarks.sandbox [--quick]`."""
