"""The sandbox's side of egress: a listening socket of its network namespace, which is all that there is inside.

Whoever builds the sandbox makes it, hands it to the service before any untrusted code runs, and keeps no copy. The
service accepts the program's connections itself, so that no process has to stand inside and pass bytes, and none can be
attacked there.
"""

from __future__ import annotations

import fcntl
import socket
import struct

PORT = 3128
ADDRESS = "127.0.0.1"
_PROXY = f"http://{ADDRESS}:{PORT}"
_BACKLOG = 16
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1  # SIOCGIFFLAGS SIOCSIFFLAGS IFF_UP
_NAME_BYTES = 16

ENVIRONMENT = {
    **dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), _PROXY),
    **dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1,::1"),
}
"""What tells a program that is granted egress where the proxy is; libraries for HTTP heed it by themselves."""


def open_listener() -> socket.socket:
    """Bring up the loopback device of this network namespace, which must be a new one, and listen at the proxy's port.

    Raises:
        OSError: when the kernel refuses; it needs CAP_NET_ADMIN over the namespace.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        _bring_up_loopback(listener)
        listener.bind((ADDRESS, PORT))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _bring_up_loopback(any_socket: socket.socket) -> None:
    """Raise the flag of `lo`, the only device there is; netdevice(7)."""
    name = b"lo".ljust(_NAME_BYTES, b"\0")
    answer = fcntl.ioctl(any_socket, _GET_FLAGS, name + bytes(24))
    (flags,) = struct.unpack_from("H", answer, _NAME_BYTES)
    fcntl.ioctl(any_socket, _SET_FLAGS, name + struct.pack("H", flags | _UP) + bytes(22))
