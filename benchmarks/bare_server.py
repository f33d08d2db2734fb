"""The references of `router_overhead`: a bare gRPC server that echoes, or that only forwards to a provider.

Run as `python -m benchmarks.bare_server [provider URL]`; prints its port. It has no keys, checks, decisions, records,
limits or metrics: the least that a Python program of this kind can do.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

import aiohttp
import grpc
import orjson
import uvloop

from protos.gen.nexus.router.v1 import router_pb2 as pb

METHOD = "/nexus.router.v1.RouterService/ChatCompletion"
_Handler = Callable[[pb.ChatCompletionRequest, object], Awaitable[pb.ChatCompletionResponse]]


async def _echo(request: pb.ChatCompletionRequest, _context: object) -> pb.ChatCompletionResponse:
    answer = pb.ChatMessage(role=pb.ROLE_ASSISTANT, content=request.messages[-1].content)
    return pb.ChatCompletionResponse(model=request.model, message=answer)


def _forwarding(session: aiohttp.ClientSession, url: str) -> _Handler:
    async def forward(request: pb.ChatCompletionRequest, _context: object) -> pb.ChatCompletionResponse:
        text = request.messages[-1].content[0].text
        body = {"model": "scripted-chat", "messages": [{"role": "user", "content": text}]}
        async with session.post(f"{url}/chat/completions", json=body) as response:
            said = orjson.loads(await response.read())["choices"][0]["message"]["content"]
        answer = pb.ChatMessage(role=pb.ROLE_ASSISTANT, content=[pb.ContentPart(text=said)])
        return pb.ChatCompletionResponse(model=request.model, message=answer)

    return forward


async def _serve(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        server = grpc.aio.server()
        method = grpc.unary_unary_rpc_method_handler(
            _forwarding(session, url) if url else _echo,
            request_deserializer=pb.ChatCompletionRequest.FromString,
            response_serializer=pb.ChatCompletionResponse.SerializeToString,
        )
        service, _, name = METHOD.removeprefix("/").partition("/")
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {name: method}),))
        print(server.add_insecure_port("127.0.0.1:0"), flush=True)
        await server.start()
        await server.wait_for_termination()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(sys.argv[1] if len(sys.argv) > 1 else ""))
