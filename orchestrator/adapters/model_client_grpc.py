"""Model calls through the provider router."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import grpc

from orchestrator.adapters.chat_proto import event_of_proto, proto_of_request
from orchestrator.adapters.connection_patience import connected
from orchestrator.domain.chat import ChatEvent, ChatRequest
from protos.gen.nexus.router.v1 import router_pb2 as pb
from protos.gen.nexus.router.v1 import router_pb2_grpc
from shared.client import translated_errors


class GrpcModelClient:
    """`ModelClient` over one channel. The router retries and falls back; this does neither."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._stub = router_pb2_grpc.RouterServiceStub(channel)

    async def stream(self, request: ChatRequest, timeout_s: float) -> AsyncGenerator[ChatEvent, None]:
        """See `ModelClient.stream`. Leaving the generator cancels the call."""
        await connected(self._channel, timeout_s)
        async with translated_errors("router"):
            call = self._stub.StreamChatCompletion(
                pb.StreamChatCompletionRequest(request=proto_of_request(request)), timeout=timeout_s
            )
            try:
                async for response in call:
                    event = event_of_proto(response)
                    if event is not None:
                        yield event
            finally:
                call.cancel()
