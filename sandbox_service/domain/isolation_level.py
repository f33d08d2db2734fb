"""How strongly a program is isolated."""

from __future__ import annotations

from enum import IntEnum


class IsolationLevel(IntEnum):
    """The weakest first, so that levels compare."""

    NAMESPACES = 1
    """Namespaces, control groups and a system-call filter over the host's kernel."""
    USER_KERNEL = 2
    """A kernel in user space between the program and the host's."""
    VIRTUAL_MACHINE = 3
    """A virtual machine with a kernel of its own."""
