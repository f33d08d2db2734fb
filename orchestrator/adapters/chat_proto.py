"""Chats as messages of the router's contract, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orchestrator.domain.chat import (
    CacheHit,
    ChatCompleted,
    ChatEvent,
    ChatMessage,
    ChatRequest,
    ChatRole,
    ChatStarted,
    ChatText,
    ChatToolCallPart,
    FinishReason,
)
from orchestrator.domain.routing import CacheMode, DataClass, Routing
from protos.gen.nexus.router.v1 import contract_pb2
from protos.gen.nexus.router.v1 import router_pb2 as pb

_ROLES: Final[Mapping[ChatRole, pb.Role.ValueType]] = {
    ChatRole.SYSTEM: pb.ROLE_SYSTEM,
    ChatRole.USER: pb.ROLE_USER,
    ChatRole.ASSISTANT: pb.ROLE_ASSISTANT,
    ChatRole.TOOL: pb.ROLE_TOOL,
}
_REASONS: Final[Mapping[int, FinishReason]] = {
    pb.FINISH_REASON_STOP: FinishReason.STOP,
    pb.FINISH_REASON_LENGTH: FinishReason.LENGTH,
    pb.FINISH_REASON_TOOL_CALLS: FinishReason.TOOL_CALLS,
    pb.FINISH_REASON_CONTENT_FILTER: FinishReason.CONTENT_FILTER,
}

_DATA_CLASSES: Final[Mapping[DataClass, contract_pb2.DataClass.ValueType]] = {
    DataClass.PUBLIC: contract_pb2.DATA_CLASS_PUBLIC,
    DataClass.INTERNAL: contract_pb2.DATA_CLASS_INTERNAL,
    DataClass.CONFIDENTIAL: contract_pb2.DATA_CLASS_CONFIDENTIAL,
    DataClass.RESTRICTED: contract_pb2.DATA_CLASS_RESTRICTED,
}
_CACHE_MODES: Final[Mapping[CacheMode, pb.CacheMode.ValueType]] = {
    CacheMode.EXACT: pb.CACHE_MODE_EXACT,
    CacheMode.SEMANTIC: pb.CACHE_MODE_SEMANTIC,
}


def proto_of_request(request: ChatRequest) -> pb.ChatCompletionRequest:
    """Return the request as the router takes it."""
    return pb.ChatCompletionRequest(
        model=request.model,
        messages=[_message(message) for message in request.messages],
        tools=[
            pb.ToolDefinition(
                name=offer.name,
                description=offer.description,
                parameters_json_schema=offer.parameters_json_schema,
            )
            for offer in request.tools
        ],
        response_json_schema=request.response_json_schema,
        max_output_tokens=request.max_output_tokens,
        request_id=request.request_id[:64],
        routing=_routing(request),
    )


def data_class_of(routing: Routing) -> contract_pb2.DataClass.ValueType:
    """Return the class of the texts as the router takes it."""
    if routing.data_class is None:
        return contract_pb2.DATA_CLASS_UNSPECIFIED
    return _DATA_CLASSES[routing.data_class]


def event_of_proto(response: pb.StreamChatCompletionResponse) -> ChatEvent | None:
    """Return the event, or None for a kind that this version does not know."""
    match response.WhichOneof("event"):
        case "started":
            return _started(response.started)
        case "text_delta":
            return ChatText(response.text_delta)
        case "tool_call_delta":
            part = response.tool_call_delta
            return ChatToolCallPart(part.index, part.id, part.name, part.arguments_json)
        case "completed":
            end = response.completed
            return ChatCompleted(
                _REASONS.get(end.finish_reason, FinishReason.STOP),
                end.usage.input_tokens,
                end.usage.output_tokens,
                end.cost_micro_usd,
                end.cost_unknown,
            )
        case _:
            return None


def _started(started: pb.StreamStarted) -> ChatStarted:
    if not started.HasField("cache_hit"):
        return ChatStarted(started.model, started.demonstration)
    hit = started.cache_hit
    mode = CacheMode.SEMANTIC if hit.mode == pb.CACHE_MODE_SEMANTIC else CacheMode.EXACT
    found = CacheHit(mode, hit.age.ToMilliseconds(), hit.similarity_ppm)
    return ChatStarted(started.model, started.demonstration, found)


def _routing(request: ChatRequest) -> pb.RoutingOptions:
    routing = request.routing
    options = pb.RoutingOptions(
        tier=routing.tier,
        data_class=data_class_of(routing),
        residency=routing.residency,
        conversation_id=request.conversation_id,
    )
    if routing.max_cost_micro_usd is not None:
        options.max_cost_micro_usd = routing.max_cost_micro_usd
    if routing.cache_mode is not None:
        options.cache_mode = _CACHE_MODES[routing.cache_mode]
    return options


def _message(message: ChatMessage) -> pb.ChatMessage:
    return pb.ChatMessage(
        role=_ROLES[message.role],
        content=[pb.ContentPart(text=message.text)] if message.text else [],
        tool_calls=[
            pb.ToolCall(id=call.tool_call_id, name=call.tool, arguments_json=call.arguments_json)
            for call in message.tool_calls
        ],
        tool_call_id=message.tool_call_id,
    )
