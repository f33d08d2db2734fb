"""The tiny protocol between the service, a zygote and the PID 1 of a sandbox: one JSON object a packet.

Descriptors travel with the packets. A SOCK_SEQPACKET socket keeps their bounds: nothing has to be framed. Closing the
service's end is the order to kill. Untrusted code never holds an end of these sockets.
"""

from __future__ import annotations

import json
import socket
from typing import Any

MAX_PACKET_BYTES = 64 << 10
MAX_DESCRIPTORS = 8

Message = dict[str, Any]


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a line."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def encode(message: Message) -> bytes:
    """Return the packet of a message.

    Raises:
        ValueError: when it is too long.
    """
    packet = json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode()
    if len(packet) > MAX_PACKET_BYTES:
        raise ValueError("a message to the launcher is too long")
    return packet


def send(line: socket.socket, message: Message, descriptors: tuple[int, ...] = ()) -> None:
    """Send a message with copies of `descriptors`.

    Raises:
        ValueError: when it is too long.
        OSError: when the other side has left.
    """
    socket.send_fds(line, [encode(message)], list(descriptors))


def receive(line: socket.socket) -> tuple[Message | None, list[int]]:
    """Return the next message and the descriptors that came with it; None when the other side has left.

    Raises:
        ValueError: when it is no message.
        OSError: BlockingIOError when there is none yet and the socket does not wait.
    """
    packet, descriptors, _, _ = socket.recv_fds(line, MAX_PACKET_BYTES, MAX_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
    if not packet:
        return None, descriptors
    return json.loads(packet), descriptors
