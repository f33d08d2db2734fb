"""Runs, events and conversations as Protobuf messages, and requests as domain values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from orchestrator.domain import events as ev
from orchestrator.domain.agent_config import RequestedLimits
from orchestrator.domain.conversation import Conversation, Message, Speaker
from orchestrator.domain.routing import CacheMode, DataClass, Routing
from orchestrator.domain.run import Failure, Run, RunStatus, ToolCallSummary, Usage
from orchestrator.domain.tools import Artifact
from orchestrator.use_cases.start_run import Question
from protos.gen.nexus.agent.v1 import agent_pb2 as pb
from protos.gen.nexus.agent.v1 import conversation_pb2 as conversation_pb
from protos.gen.nexus.router.v1 import contract_pb2, router_pb2
from protos.gen.nexus.tools.v1 import tools_pb2

_STATUSES: Final[Mapping[RunStatus, pb.RunStatus.ValueType]] = {
    RunStatus.PENDING: pb.RUN_STATUS_PENDING,
    RunStatus.RUNNING: pb.RUN_STATUS_RUNNING,
    RunStatus.COMPLETED: pb.RUN_STATUS_COMPLETED,
    RunStatus.FAILED: pb.RUN_STATUS_FAILED,
    RunStatus.CANCELLED: pb.RUN_STATUS_CANCELLED,
}
_ROLES: Final[Mapping[Speaker, conversation_pb.MessageRole.ValueType]] = {
    Speaker.USER: conversation_pb.MESSAGE_ROLE_USER,
    Speaker.ASSISTANT: conversation_pb.MESSAGE_ROLE_ASSISTANT,
}

_DATA_CLASSES: Final[Mapping[int, DataClass]] = {
    contract_pb2.DATA_CLASS_PUBLIC: DataClass.PUBLIC,
    contract_pb2.DATA_CLASS_INTERNAL: DataClass.INTERNAL,
    contract_pb2.DATA_CLASS_CONFIDENTIAL: DataClass.CONFIDENTIAL,
    contract_pb2.DATA_CLASS_RESTRICTED: DataClass.RESTRICTED,
}
_CACHE_MODES: Final[Mapping[int, CacheMode]] = {
    router_pb2.CACHE_MODE_EXACT: CacheMode.EXACT,
    router_pb2.CACHE_MODE_SEMANTIC: CacheMode.SEMANTIC,
}
_CACHE_MODE_VALUES: Final[Mapping[CacheMode, router_pb2.CacheMode.ValueType]] = {
    CacheMode.EXACT: router_pb2.CACHE_MODE_EXACT,
    CacheMode.SEMANTIC: router_pb2.CACHE_MODE_SEMANTIC,
}


def question_of(request: pb.QueryAgentRequest) -> Question:
    """Return what the caller asks."""
    limits = request.limits
    timeout_s = limits.timeout.ToTimedelta().total_seconds() if limits.HasField("timeout") else 0.0
    return Question(
        text=request.question,
        conversation_id=request.conversation_id,
        model=request.model,
        limits=RequestedLimits(limits.max_steps, limits.max_tool_calls, timeout_s),
        request_id=request.request_id,
        routing=_routing(request.routing),
        channel=request.channel,
    )


def proto_of_run(run: Run) -> pb.Run:
    """Return the run as a message."""
    proto = pb.Run(
        run_id=run.run_id,
        conversation_id=run.conversation_id,
        user_id=run.principal.user_id,
        status=_STATUSES[run.status],
        question=run.question,
        answer=run.answer,
        model=run.model,
        usage=_usage(run.usage),
        create_time=_timestamp(run.created_at),
        last_sequence=run.last_sequence,
        tool_calls=[_summary(call) for call in run.tool_calls],
    )
    if run.failure is not None:
        proto.failure.CopyFrom(_failure(run.failure))
    if run.started_at is not None:
        proto.start_time.FromDatetime(run.started_at)
    if run.ended_at is not None:
        proto.end_time.FromDatetime(run.ended_at)
    return proto


def proto_of_event(event: ev.RunEvent) -> pb.RunEvent:
    """Return the event as a message."""
    proto = pb.RunEvent(run_id=event.run_id, sequence=event.sequence, create_time=_timestamp(event.created_at))
    payload = event.payload
    match payload:
        case ev.RunStarted():
            proto.run_started.conversation_id = payload.conversation_id
            proto.run_started.question = payload.question
        case ev.RunFinished():
            proto.run_finished.answer = payload.answer
        case ev.RunFailed():
            proto.run_failed.failure.CopyFrom(_failure(payload.failure))
        case ev.RunCancelled():
            proto.run_cancelled.user_id = payload.user_id
        case _:
            _set_progress(proto, payload)
    return proto


def proto_of_conversation(conversation: Conversation) -> conversation_pb.Conversation:
    """Return the conversation as a message."""
    return conversation_pb.Conversation(
        conversation_id=conversation.conversation_id,
        title=conversation.title,
        create_time=_timestamp(conversation.created_at),
        update_time=_timestamp(conversation.updated_at),
    )


def proto_of_message(message: Message) -> conversation_pb.ConversationMessage:
    """Return a message of a conversation as a Protobuf message."""
    return conversation_pb.ConversationMessage(
        role=_ROLES[message.speaker],
        text=message.text,
        run_id=message.run_id,
        create_time=_timestamp(message.created_at),
    )


def _routing(routing: pb.RunRouting) -> Routing:
    return Routing(
        tier=routing.tier,
        data_class=_DATA_CLASSES.get(routing.data_class),
        residency=tuple(routing.residency),
        max_cost_micro_usd=routing.max_cost_micro_usd if routing.HasField("max_cost_micro_usd") else None,
        cache_mode=_CACHE_MODES.get(routing.cache_mode),
    )


def _set_progress(proto: pb.RunEvent, payload: ev.Progress) -> None:
    match payload:
        case ev.StepStarted():
            proto.step_started.step = payload.step
            proto.step_started.attempt = payload.attempt
        case ev.TokenDelta():
            proto.token_delta.text = payload.text
        case ev.AnswerReset():
            proto.answer_reset.reason = payload.reason
        case ev.ToolCallStarted():
            started = proto.tool_call_started
            started.tool_call_id, started.tool = payload.tool_call_id, payload.tool
            started.arguments_json = payload.arguments_json
        case ev.ToolCallFinished():
            finished = proto.tool_call_finished
            finished.tool_call_id, finished.tool = payload.tool_call_id, payload.tool
            finished.ok, finished.output_json = payload.ok, payload.output_json
            finished.summary = payload.summary
            finished.duration.FromMilliseconds(payload.duration_ms)
            finished.artifacts.extend(_handles(payload.artifacts))
        case ev.UsageReported():
            proto.usage_reported.CopyFrom(_usage_reported(payload))
        case ev.Warned():
            proto.warning.code, proto.warning.message = payload.code, payload.message


def _usage(usage: Usage) -> pb.RunUsage:
    return pb.RunUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_micro_usd=usage.cost_micro_usd,
        model_calls=usage.model_calls,
        tool_calls=usage.tool_calls,
        cost_unknown=usage.cost_unknown,
    )


def _usage_reported(reported: ev.UsageReported) -> pb.UsageReported:
    proto = pb.UsageReported(
        model=reported.model,
        input_tokens=reported.input_tokens,
        output_tokens=reported.output_tokens,
        cost_micro_usd=reported.cost_micro_usd,
        cost_unknown=reported.cost_unknown,
    )
    if (hit := reported.cache_hit) is not None:
        proto.cache_hit.mode, proto.cache_hit.similarity_ppm = _CACHE_MODE_VALUES[hit.mode], hit.similarity_ppm
        proto.cache_hit.age.FromMilliseconds(hit.age_ms)
    return proto


def _summary(call: ToolCallSummary) -> pb.ToolCallSummary:
    return pb.ToolCallSummary(
        tool_call_id=call.tool_call_id,
        tool=call.tool,
        arguments_json=call.arguments_json,
        ok=call.ok,
        summary=call.summary,
        artifacts=_handles(call.artifacts),
    )


def _handles(artifacts: tuple[Artifact, ...]) -> list[tools_pb2.ArtifactHandle]:
    return [
        tools_pb2.ArtifactHandle(
            artifact_id=each.artifact_id, name=each.name, media_type=each.media_type, size_bytes=each.size_bytes
        )
        for each in artifacts
    ]


def _failure(failure: Failure) -> pb.RunFailure:
    return pb.RunFailure(reason=failure.reason, message=failure.message)


def _timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
