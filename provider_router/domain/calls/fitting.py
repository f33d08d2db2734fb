"""Makes a request fit the service that is to answer it, and says what was lost on the way."""

from __future__ import annotations

from dataclasses import fields, replace

from provider_router.domain.calls.callers_words import words_of
from provider_router.domain.calls.chat import CallersBody, ChatRequest, Message, Sampling
from provider_router.domain.calls.content import FilePart, ImagePart, Part, TextPart, ThinkingPart, text_of
from provider_router.domain.contracts.dialect import DIALECT_OF, PROVIDER_TOOLS_TRAIT, Dialect
from provider_router.domain.contracts.service import Service
from shared.value import value

_SAMPLING = frozenset(field.name for field in fields(Sampling))
# What a parameter is in the body of a dialect, where that is not the one word.
_WORDS = {
    (Dialect.ANTHROPIC_MESSAGES, "stop"): ("stop_sequences",),
    (Dialect.ANTHROPIC_MESSAGES, "reasoning"): ("thinking",),
    (Dialect.OPENAI_CHAT, "json_object"): ("response_format",),
    (Dialect.OPENAI_CHAT, "logprobs"): ("logprobs", "top_logprobs"),
    (Dialect.OPENAI_CHAT, "reasoning"): ("reasoning_effort",),
    (Dialect.OPENAI_RESPONSES, "json_object"): ("text",),
}

_OF_RELAYED = frozenset({"n", "logprobs"})
"""Parameters whose answer only the provider's own words tell."""


@value
class Fitted:
    """A request for one service.

    Attributes:
        request: As the service can be asked.
        dropped: What it is not given of what the caller sent, by name.
    """

    request: ChatRequest
    dropped: tuple[str, ...] = ()


def fitted(request: ChatRequest, service: Service, *, relayed: bool = True) -> Fitted:
    """Fits `request` to `service`.

    Args:
        request: As it was asked.
        service: That is to answer.
        relayed: Whether its answer may reach the caller as it is, where they speak one dialect.

    The decision has seen to it that nothing is lost that the caller did not allow to be: parameters and fields without
    a place are dropped where it did. What only helps is dropped without leave, and is named all the same: marks of the
    provider's cache, headers that permit what the body holds, hints, and another model's thoughts.
    """
    if request.is_plain:
        return Fitted(request)
    dialect = DIALECT_OF[service.provider.type]
    unserved = sorted(name for name in request.parameters if service.contract.traits.get(name) is False)
    if relayed and request.speaks(dialect) and PROVIDER_TOOLS_TRAIT not in unserved:
        told = words_of(request.body, unserved)
        return Fitted(_without(request, unserved, dialect), told) if unserved else Fitted(request)
    unserved = sorted({*unserved, *request.parameters & _OF_RELAYED})
    lost = [*(_unknown_to_others(request.body) if request.body else ()), *words_of(request.body, unserved)]
    lost += _left_out(request, dialect)
    if dialect is not Dialect.ANTHROPIC_MESSAGES:
        request, hints = _without_hints(request)
        lost += hints
    if request.body is not None:
        request = replace(request, body=None)
    return Fitted(_without(request, unserved, dialect) if unserved else request, tuple(sorted(set(lost))))


def _unknown_to_others(body: CallersBody) -> list[str]:
    return [*body.foreign, *body.hints, *(name for name, _ in body.headers)]


def _left_out(request: ChatRequest, dialect: Dialect) -> list[str]:
    """What nobody writes into a body of the dialect, since it has no place for it."""
    lost: list[str] = []
    if dialect is not Dialect.OPENAI_CHAT and any(message.name for message in request.messages):
        lost.append("messages.name")
    if dialect is not Dialect.ANTHROPIC_MESSAGES and any(message.is_error for message in request.messages):
        lost.append("is_error")
    if dialect is Dialect.ANTHROPIC_MESSAGES and any(
        isinstance(part, ThinkingPart) and not part.signature and not part.redacted
        for message in request.messages
        for part in message.parts
    ):
        lost.append("thinking")
    return lost


def _without(request: ChatRequest, names: list[str], dialect: Dialect) -> ChatRequest:
    """`request` without the parameters `names`."""
    sampling = {name: None for name in names if name in _SAMPLING}
    if sampling:
        request = replace(request, sampling=replace(request.sampling, **sampling))
    plain = {"temperature": None, "stop": (), "json_object": False, "n": 1, "logprobs": None, "reasoning": None}
    changes = {"choices" if name == "n" else name: plain[name] for name in names if name in plain}
    body = request.body
    if body is not None:
        words = {word for name in names for word in _WORDS.get((dialect, name), (name,))}
        left = {key: value for key, value in body.fields.items() if key not in words}
        body = replace(body, fields=left)
    return replace(request, body=body, **changes)  # pyright: ignore[reportArgumentType]  # each value is its field's


def _without_hints(request: ChatRequest) -> tuple[ChatRequest, list[str]]:
    """`request` without what only Anthropic's dialect has, and what that was."""
    lost: set[str] = set()
    messages = tuple(_plain(message, lost) if message.parts else message for message in request.messages)
    tools = tuple(replace(tool, cached="") if tool.cached else tool for tool in request.tools)
    if tools != request.tools:
        lost.add("cache_control")
    if not lost:
        return request, []
    return replace(request, messages=messages, tools=tools), sorted(lost)


def _plain(message: Message, lost: set[str]) -> Message:
    parts: list[Part] = []
    for part in message.parts:
        if isinstance(part, ThinkingPart):
            lost.add("thinking")
            continue
        if isinstance(part, TextPart | ImagePart | FilePart) and part.cached:
            lost.add("cache_control")
            part = replace(part, cached="")  # noqa: PLW2901 - the same part, less a mark
        parts.append(part)
    only_text = all(isinstance(part, TextPart) for part in parts)
    return replace(message, text=text_of(parts), parts=() if only_text else tuple(parts))
