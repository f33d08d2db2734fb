"""Passes requests on with Nexus's HTTP server and client and nothing between them but the parsing of a body.

`python -m benchmarks.gateway.bare_pass PORT UPSTREAM [PORT UPSTREAM ...]`, all of loopback. It checks, decides, counts
and remembers nothing.
"""

from __future__ import annotations

import asyncio
import sys

import orjson
import uvloop

from benchmarks.gateway.children import FILES
from provider_router.adapters.http.call import HttpCall
from provider_router.adapters.http.client import HttpClient
from provider_router.adapters.http.limits import HttpLimits
from shared.clock import SystemClock
from shared.errors import NexusError
from shared.http_server.exchange import Handler, Reply, Request
from shared.http_server.limits import Limits
from shared.http_server.server import HttpServer

_BODY_BYTES = 1024 * 1024
_JSON = (("content-type", "application/json"),)
_EVENTS = (("content-type", "text/event-stream"),)


def _passing(client: HttpClient, upstream: int) -> Handler:
    url = f"http://127.0.0.1:{upstream}/v1/chat/completions"
    headers = {"authorization": "Bearer none"}

    async def handle(request: Request, reply: Reply) -> None:
        fields = orjson.loads(await request.body(_BODY_BYTES))
        call = HttpCall("upstream", url, headers, orjson.dumps(fields))
        if not fields.get("stream"):
            reply.send(200, _JSON, await client.whole(call))
            return
        answer = await client.streamed(call)
        try:
            reply.begin(200, _EVENTS, await answer.read())
            while piece := await answer.read():
                answer.progressed()
                reply.write(piece)
                if reply.is_behind:
                    await reply.drained()
            reply.end()
        finally:
            answer.close()

    return handle


def _refuse(error: NexusError) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
    return 400, _JSON, error.reason.encode()


async def _serve(ports: list[int]) -> None:
    client = HttpClient(HttpLimits(connections_per_host=FILES), SystemClock())
    await client.start()
    for port, upstream in zip(ports[::2], ports[1::2], strict=True):
        await HttpServer(_passing(client, upstream), Limits(connections=FILES), _refuse).start(("127.0.0.1", port))
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve([int(port) for port in sys.argv[1:]]))
