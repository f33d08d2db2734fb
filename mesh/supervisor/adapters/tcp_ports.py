"""Finds out which TCP ports on loopback are free."""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Mapping

from mesh.supervisor.domain.port_plan import LOOPBACK
from shared.errors import PreconditionFailed, UpstreamDown

# Below the range from which kernels take the ports of outgoing connections, so that none sits on a port we found free.
_LOWEST_FREE = 20_000
_HIGHEST_FREE = 32_000


def require_free(wanted: Mapping[int, str]) -> None:
    """Check that each port can be listened on; `wanted` says what it is for.

    Raises:
        PreconditionFailed: reason PORT_TAKEN, for the first that cannot.
    """
    for port, purpose in sorted(wanted.items()):
        problem = _problem(port)
        if problem == errno.EADDRINUSE:
            raise PreconditionFailed(
                "PORT_TAKEN",
                f"Port {port} ({purpose}) on {LOOPBACK} is taken. `ss -ltnp 'sport = :{port}'` says by whom. "
                "Stop that program, or choose other ports with --port-base N (0 takes any free ones).",
                metadata={"port": str(port), "purpose": purpose},
            )
        if problem:
            raise PreconditionFailed(
                "PORT_UNUSABLE",
                f"Port {port} ({purpose}) on {LOOPBACK} cannot be listened on: {errno.errorcode[problem]}. "
                "Choose other ports with --port-base N.",
                metadata={"port": str(port), "purpose": purpose},
            )


def find_free(count: int) -> tuple[int, ...]:
    """Return `count` different ports that are free now.

    Raises:
        UpstreamDown: reason NO_FREE_PORTS.
    """
    candidates = list(range(_LOWEST_FREE, _HIGHEST_FREE))
    secrets.SystemRandom().shuffle(candidates)
    found: list[int] = []
    for port in candidates:
        if len(found) == count:
            break
        if not _problem(port):
            found.append(port)
    if len(found) < count:
        raise UpstreamDown("NO_FREE_PORTS", f"Fewer than {count} free ports on {LOOPBACK}.")
    return tuple(found)


def _problem(port: int) -> int:
    """Return the errno of listening on the port, 0 when it is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of an ended server that linger in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError as error:
            return error.errno or errno.EINVAL
    return 0
