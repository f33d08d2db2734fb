"""Tool calls through the tool executor."""

from __future__ import annotations

from datetime import timedelta

import grpc
from google.protobuf.duration_pb2 import Duration

from orchestrator.adapters.connection_patience import connected
from orchestrator.domain.tools import Artifact, ToolOutcome
from orchestrator.ports.tool_runner import ToolRequest
from protos.gen.nexus.tools.v1 import tools_pb2 as pb
from protos.gen.nexus.tools.v1 import tools_pb2_grpc
from shared.client import translated_errors

MARGIN_S = 2.5
"""What the executor has over the tool's own time, to say how a tool that took too long ended."""


class GrpcToolRunner:
    """`ToolRunner` over one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._stub = tools_pb2_grpc.ToolServiceStub(channel)

    async def run(self, request: ToolRequest) -> ToolOutcome:
        """See `ToolRunner.run`."""
        timeout = Duration()
        timeout.FromTimedelta(timedelta(seconds=request.timeout_s))
        proto = pb.ExecuteToolRequest(
            name=request.tool,
            arguments_json=request.arguments_json,
            request_id=request.request_id[:160],
            timeout=timeout,
            time_zone=request.time_zone,
            agent=request.origin.agent,
            channel=request.origin.channel,
            conversation_id=request.origin.conversation_id,
            run_id=request.origin.run_id,
        )
        await connected(self._channel, request.timeout_s)
        async with translated_errors("tools"):
            response = await self._stub.ExecuteTool(proto, timeout=request.timeout_s + MARGIN_S)
        result = response.result
        ok = result.status == pb.TOOL_STATUS_OK
        return ToolOutcome(
            ok=ok,
            output_json=result.output_json if ok else "",
            summary=result.summary,
            error_reason=result.error_reason,
            duration_ms=round(result.duration.ToTimedelta().total_seconds() * 1000),
            artifacts=tuple(
                Artifact(each.artifact_id, each.name, each.media_type, each.size_bytes) for each in result.artifacts
            ),
        )
