"""The whole way out: from a network namespace of its own, through the door that was made there, to a server here."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path

from egress_rig import internet

from sandbox_service.adapters.egress import doorway

REPOSITORY = Path(__file__).resolve().parents[2]
INSIDE = """
import json, os, socket, sys
sys.path.insert(0, sys.argv[1])
from sandbox_service.adapters.egress import doorway
from sandbox_service.adapters.launcher import kernel
kernel.unshare(kernel.CLONE_NEWNET | (0 if os.geteuid() == 0 else kernel.CLONE_NEWUSER))
with socket.socket(fileno=int(sys.argv[2])) as line, doorway.open_listener() as listener:
    socket.send_fds(line, [b"x"], [listener.fileno()])
left = os.listdir("/proc/self/fd")

def attempt(address):
    try:
        socket.create_connection(address, timeout=5).close()
    except OSError as error:
        return type(error).__name__
    return "reached"

import urllib.error, urllib.request
def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code

told = {
    "descriptors": len(left) - 1,
    "host": attempt(("127.0.0.1", int(sys.argv[3]))),
    "outside": attempt(("1.1.1.1", 443)),
    "granted": fetch("http://api.example.com/"),
    "other": fetch("http://example.org/"),
    "metadata": fetch("http://meta.example.com/latest"),
}
print(json.dumps(told))
"""


async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    await writer.drain()
    writer.close()


async def test_from_a_namespace_of_its_own_a_program_reaches_what_it_was_granted_and_nothing_else() -> None:
    async with internet(hello) as made:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            inside = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-c", INSIDE, str(REPOSITORY), str(theirs.fileno()), str(made.server_port)),
                pass_fds=(theirs.fileno(),),
                env=doorway.ENVIRONMENT,
                stdout=asyncio.subprocess.PIPE,
            )
            _, (door_fd,), _, _ = await asyncio.to_thread(socket.recv_fds, ours, 1, 1)
        made.proxy.start(door_fd)
        told, _ = await inside.communicate()
        assert json.loads(told) == {
            "descriptors": 3,
            "host": "ConnectionRefusedError",
            "outside": "OSError",
            "granted": "hello",
            "other": 403,
            "metadata": 403,
        }
        report = await made.proxy.stop()
        assert [(each.target, each.connections) for each in report.reached] == [("api.example.com:80", 1)]
        assert report.refused == {"target": 1, "address": 1}
        assert made.connected == [("93.184.215.14", 80)]
