"""The launcher: a small program that builds the isolation of one run and becomes its PID 1.

It is started by path, outside the service's process, once a run. Every module in here imports nothing but cheap parts
of the standard library, because its import time is part of every run.
"""
