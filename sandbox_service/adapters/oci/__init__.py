"""Sandboxes in containers of an OCI runtime, such as gVisor's runsc.

Descriptors of the host do not pass into a kernel of its own. So the container's PID 1 has one socket to the
service as its standard input and output, and everything passes over it as frames: orders and answers, files, and a
program's streams.
"""
