"""Between the contract's messages and the domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from google.protobuf.duration_pb2 import Duration

from protos.gen.nexus.router.v1 import router_pb2
from provider_router.domain.calls.answer import Answer
from provider_router.domain.calls.chat import ChatRequest, FinishReason, Message, Role, Tool, ToolCall, parse_schema
from provider_router.domain.calls.events import (
    Attempt,
    CacheHit,
    ChatEvent,
    Completed,
    Continued,
    Relayed,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
)
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import Operation, Rates
from provider_router.use_cases.list_models import ListedModel

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
        cost_unknown=answer.cost_unknown,
        attempts=_attempts(answer.attempts),
        demonstration=answer.demonstration,
        decision_id=answer.decision_id,
        cache_hit=_cache_hit(answer.cache_hit),
        continuations=[_continued(each) for each in answer.continuations],
    )


def stream_event(event: ChatEvent) -> router_pb2.StreamChatCompletionResponse:
    """One event of a stream as a response.

    Raises:
        TypeError: The event is for callers over HTTP alone, who ask for it.
    """
    match event:
        case ThinkingDelta() | Relayed():
            raise TypeError(type(event).__name__)
        case TextDelta(text):
            return router_pb2.StreamChatCompletionResponse(text_delta=text)
        case ToolCallDelta(index, call_id, name, arguments_json):
            delta = router_pb2.ToolCallDelta(index=index, id=call_id, name=name, arguments_json=arguments_json)
            return router_pb2.StreamChatCompletionResponse(tool_call_delta=delta)
        case Started():
            return router_pb2.StreamChatCompletionResponse(started=_started(event))
        case Continued():
            return router_pb2.StreamChatCompletionResponse(continued=_continued(event))
        case Completed(finish_reason, used, cost_micro_usd, cost_unknown):
            completed = router_pb2.StreamCompleted(
                finish_reason=_FINISH_REASONS[finish_reason],
                usage=usage(used),
                cost_micro_usd=cost_micro_usd,
                cost_unknown=cost_unknown,
            )
            return router_pb2.StreamChatCompletionResponse(completed=completed)


def _started(event: Started) -> router_pb2.StreamStarted:
    return router_pb2.StreamStarted(
        model=event.model,
        attempts=_attempts(event.attempts),
        demonstration=event.demonstration,
        decision_id=event.decision_id,
        cache_hit=_cache_hit(event.cache_hit),
    )


def _continued(event: Continued) -> router_pb2.StreamContinued:
    return router_pb2.StreamContinued(model=event.model, attempts=_attempts(event.attempts))


def _cache_hit(hit: CacheHit | None) -> router_pb2.CacheHit | None:
    if hit is None:
        return None
    mode = router_pb2.CACHE_MODE_SEMANTIC if hit.semantic else router_pb2.CACHE_MODE_EXACT
    return router_pb2.CacheHit(mode=mode, age=_duration(hit.age_s), similarity_ppm=hit.similarity_ppm)


def usage(used: TokenUsage | None) -> router_pb2.TokenUsage | None:
    """Tokens used; the field stays unset where the provider did not say."""
    if used is None:
        return None
    return router_pb2.TokenUsage(
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cached_input_tokens=used.cached_input_tokens,
        reasoning_tokens=used.reasoning_tokens,
        cache_write_input_tokens=used.cache_write_input_tokens,
    )


def _attempts(attempts: Iterable[Attempt]) -> list[router_pb2.Attempt]:
    return [
        router_pb2.Attempt(
            model=attempt.model,
            reason=attempt.reason,
            duration=_duration(attempt.duration_s),
            deployment=attempt.deployment,
        )
        for attempt in attempts
    ]


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromMicroseconds(round(seconds * 1_000_000))
    return duration


def model(listed: ListedModel) -> router_pb2.Model:
    """A configured model, with the price of today."""
    service, rates = listed.service, listed.price.rates if listed.price else Rates()
    capabilities = service.contract.capabilities
    return router_pb2.Model(
        name=service.name,
        provider=service.provider.name,
        chat=service.does(Operation.CHAT),
        embeddings=service.does(Operation.EMBED),
        tool_calling=capabilities.tool_calling,
        context_length=capabilities.context_length,
        input_micro_usd_per_million=rates.input,
        output_micro_usd_per_million=rates.output,
        demonstration=service.contract.demonstration,
        configured=listed.configured,
        free=listed.is_free,
        price_unknown=listed.price_unknown,
    )
