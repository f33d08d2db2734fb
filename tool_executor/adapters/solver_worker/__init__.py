"""The process that calculates: `python -m tool_executor.adapters.solver_worker`.

It reads one JSON object a line from standard input and answers each with one on standard output. It holds sympy, which
the service itself never imports, and may be killed at any time.
"""
