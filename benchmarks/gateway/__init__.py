"""Measures the HTTP gateway beside other gateways and proxies, in one run: `python -m benchmarks.gateway`."""
