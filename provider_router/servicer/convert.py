"""Between the contract's messages and the domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from google.protobuf.duration_pb2 import Duration

from protos.gen.nexus.router.v1 import router_pb2
from provider_router.domain.answer import Answer
from provider_router.domain.catalog import ModelSpec
from provider_router.domain.chat import ChatRequest, FinishReason, Message, Role, Tool, ToolCall, parse_schema
from provider_router.domain.events import Attempt, ChatEvent, Completed, Started, TextDelta, ToolCallDelta
from provider_router.domain.provider_health import ProviderReport, ProviderState
from provider_router.domain.usage import TokenUsage

_ROLES: Mapping[router_pb2.Role.ValueType, Role] = {
    router_pb2.ROLE_SYSTEM: Role.SYSTEM,
    router_pb2.ROLE_USER: Role.USER,
    router_pb2.ROLE_ASSISTANT: Role.ASSISTANT,
    router_pb2.ROLE_TOOL: Role.TOOL,
}
_FINISH_REASONS: Mapping[FinishReason, router_pb2.FinishReason.ValueType] = {
    FinishReason.STOP: router_pb2.FINISH_REASON_STOP,
    FinishReason.LENGTH: router_pb2.FINISH_REASON_LENGTH,
    FinishReason.TOOL_CALLS: router_pb2.FINISH_REASON_TOOL_CALLS,
    FinishReason.CONTENT_FILTER: router_pb2.FINISH_REASON_CONTENT_FILTER,
}
_STATES: Mapping[ProviderState, router_pb2.ProviderState.ValueType] = {
    ProviderState.UNKNOWN: router_pb2.PROVIDER_STATE_UNKNOWN,
    ProviderState.AVAILABLE: router_pb2.PROVIDER_STATE_AVAILABLE,
    ProviderState.FAILING: router_pb2.PROVIDER_STATE_FAILING,
    ProviderState.NOT_CONFIGURED: router_pb2.PROVIDER_STATE_NOT_CONFIGURED,
}
_NO_PARAMETERS: Mapping[str, object] = {"type": "object", "properties": {}}


def chat_request(message: router_pb2.ChatCompletionRequest) -> ChatRequest:
    """The chat of a request.

    Raises:
        InvalidInput: INVALID_SCHEMA.
    """
    schema = message.response_json_schema
    return ChatRequest(
        messages=tuple(_message(each) for each in message.messages),
        tools=tuple(_tool(each, index) for index, each in enumerate(message.tools)),
        response_schema=parse_schema(schema, "response_json_schema") if schema else None,
        temperature=message.temperature if message.HasField("temperature") else None,
        max_output_tokens=message.max_output_tokens or None,
        stop=tuple(message.stop),
    )


def _message(message: router_pb2.ChatMessage) -> Message:
    return Message(
        role=_ROLES[message.role],
        text="".join(part.text for part in message.content),
        tool_calls=tuple(ToolCall(call.id, call.name, call.arguments_json) for call in message.tool_calls),
        tool_call_id=message.tool_call_id,
    )


def _tool(message: router_pb2.ToolDefinition, index: int) -> Tool:
    schema = message.parameters_json_schema
    field = f"tools[{index}].parameters_json_schema"
    parameters = parse_schema(schema, field) if schema else _NO_PARAMETERS
    return Tool(message.name, message.description, parameters)


def completion(answer: Answer) -> router_pb2.ChatCompletionResponse:
    """A whole answer as a response."""
    message = router_pb2.ChatMessage(
        role=router_pb2.ROLE_ASSISTANT,
        content=[router_pb2.ContentPart(text=answer.message.text)] if answer.message.text else [],
        tool_calls=[
            router_pb2.ToolCall(id=call.id, name=call.name, arguments_json=call.arguments_json)
            for call in answer.message.tool_calls
        ],
    )
    return router_pb2.ChatCompletionResponse(
        model=answer.model,
        message=message,
        finish_reason=_FINISH_REASONS[answer.finish_reason],
        usage=usage(answer.usage),
        cost_micro_usd=answer.cost_micro_usd,
        attempts=_attempts(answer.attempts),
        demonstration=answer.demonstration,
    )


def stream_event(event: ChatEvent) -> router_pb2.StreamChatCompletionResponse:
    """One event of a stream as a response."""
    match event:
        case TextDelta(text):
            return router_pb2.StreamChatCompletionResponse(text_delta=text)
        case ToolCallDelta(index, call_id, name, arguments_json):
            delta = router_pb2.ToolCallDelta(index=index, id=call_id, name=name, arguments_json=arguments_json)
            return router_pb2.StreamChatCompletionResponse(tool_call_delta=delta)
        case Started(model, attempts, demonstration):
            started = router_pb2.StreamStarted(model=model, attempts=_attempts(attempts), demonstration=demonstration)
            return router_pb2.StreamChatCompletionResponse(started=started)
        case Completed(finish_reason, used, cost_micro_usd):
            completed = router_pb2.StreamCompleted(
                finish_reason=_FINISH_REASONS[finish_reason], usage=usage(used), cost_micro_usd=cost_micro_usd
            )
            return router_pb2.StreamChatCompletionResponse(completed=completed)


def usage(used: TokenUsage | None) -> router_pb2.TokenUsage | None:
    """Tokens used; the field stays unset where the provider did not say."""
    if used is None:
        return None
    return router_pb2.TokenUsage(
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cached_input_tokens=used.cached_input_tokens,
        reasoning_tokens=used.reasoning_tokens,
    )


def _attempts(attempts: Iterable[Attempt]) -> list[router_pb2.Attempt]:
    converted: list[router_pb2.Attempt] = []
    for attempt in attempts:
        duration = Duration()
        duration.FromMicroseconds(round(attempt.duration_s * 1_000_000))
        converted.append(router_pb2.Attempt(model=attempt.model, reason=attempt.reason, duration=duration))
    return converted


def model(spec: ModelSpec) -> router_pb2.Model:
    """A configured model."""
    return router_pb2.Model(
        name=spec.full_name,
        provider=spec.provider.name,
        chat=spec.chat,
        embeddings=spec.embeddings,
        tool_calling=spec.tool_calling,
        context_length=spec.context_length,
        input_micro_usd_per_million=spec.prices.input_micro_usd,
        output_micro_usd_per_million=spec.prices.output_micro_usd,
        demonstration=spec.demonstration,
    )


def provider(report: ProviderReport) -> router_pb2.Provider:
    """A provider and how it is."""
    message = router_pb2.Provider(
        name=report.provider.name,
        type=report.provider.type.value,
        base_url=report.provider.chat_url,
        state=_STATES[report.state],
        models=report.models,
    )
    if report.observation is not None:
        message.last_error_reason = report.observation.reason
        message.last_call_time.FromDatetime(report.observation.time)
    return message
