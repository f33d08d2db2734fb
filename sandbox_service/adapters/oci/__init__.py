"""Sandboxes in containers of an OCI runtime, such as gVisor's runsc.

Descriptors of the host do not pass into a kernel of its own. So the container's PID 1 has two pipes to the service, its
standard input and output, and everything passes over them as frames: orders and answers, files, and a program's streams.
"""
