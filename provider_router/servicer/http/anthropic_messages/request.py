"""Reads a request for a message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from provider_router.domain.calls.chat import (
    CallersBody,
    ChatRequest,
    Message,
    Reasoning,
    Sampling,
)
from provider_router.domain.contracts.dialect import Dialect
from provider_router.servicer.http.anthropic_messages.content import system_in, turns_in
from provider_router.servicer.http.anthropic_messages.errors import THREAD
from provider_router.servicer.http.anthropic_messages.reading import Findings, cache_lifetime
from provider_router.servicer.http.anthropic_messages.tools import tool_choice_in, tools_in
from provider_router.servicer.http.fields import (
    LISTED_VIOLATIONS,
    WrongFieldError,
    count_in,
    each_in,
    field_in,
    flag_in,
    invalid,
    list_in,
    maybe_in,
    number_in,
    object_in,
    one_of,
    text_in,
    word_in,
)
from provider_router.servicer.http.nulls import without_nulls
from provider_router.servicer.http.surface import Wanted
from shared.errors import FieldViolation

_BETA_HEADER = "anthropic-beta"
_VERSION_HEADER = "anthropic-version"
# Of the dialect. The later one takes less: no temperature, for one. Answers are the same in both.
_VERSIONS = ("2023-06-01", "2026-10-21")
_MOST_BETA = 2048
_MOST_TOKENS = 2**31 - 1
_MOST_NAME = 256
_MOST_STOPS = 8191
_LEAST_BUDGET = 1024


class _Reading:
    """What was read of one body."""

    __slots__ = ("arguments", "budget_tokens", "effort", "found", "messages", "model", "reasons", "sampling", "shown")

    def __init__(self) -> None:
        self.found = Findings()
        self.model = ""
        self.messages: list[Message] = []
        self.arguments: dict[str, Any] = {"whole": True}
        self.sampling: dict[str, Any] = {}
        self.reasons = False
        self.effort = ""
        self.budget_tokens: int | None = None
        self.shown = False

    def request(self, body: CallersBody) -> ChatRequest:
        """The request."""
        arguments = self.arguments
        if not arguments.get("tools"):
            # Where no tool is left that everybody knows, there is none to choose.
            arguments.pop("tool_choice", None)
        if self.sampling:
            arguments["sampling"] = Sampling(**self.sampling)
        if self.reasons:
            arguments["reasoning"] = Reasoning(self.effort, self.budget_tokens, self.shown)
        return ChatRequest(tuple(self.messages), body=body, **arguments)


def read_request(fields: Mapping[str, Any], headers: Mapping[str, str], *, limited: bool = True) -> Wanted:
    """Reads a parsed body; null stands for what is absent.

    Args:
        fields: The body.
        headers: By lower-case name: the version of the dialect, and what of its trials the caller opts into.
        limited: Whether `max_tokens` must be there.

    Raises:
        InvalidInput: REQUEST_INVALID, with the fields that are wrong.
    """
    reading = _Reading()
    wrong: list[FieldViolation] = []
    for name, value in fields.items():
        if value is None:
            continue
        read = _READERS.get(name)
        try:
            if read is None:
                reading.found.unknown(name, value)
            else:
                read(value, reading)
        except WrongFieldError as error:
            wrong.append(FieldViolation(name + error.path, error.description))
            if len(wrong) >= LISTED_VIOLATIONS:
                break
    needed = _NEEDED if limited else _NEEDED_TO_COUNT
    wrong += [FieldViolation(name, "is missing") for name in needed if fields.get(name) is None]
    permits = _headers(headers, wrong)
    if wrong:
        raise invalid(wrong)
    found = reading.found
    sent = _without_unsigned(fields) if found.unsigned else fields
    if found.nulls:
        sent = without_nulls(sent)
    body = CallersBody(Dialect.ANTHROPIC_MESSAGES, sent, tuple(found.foreign), permits, tuple(found.hints))
    return Wanted(reading.request(body), reading.model, not reading.arguments["whole"], inside=found.inside)


def _headers(headers: Mapping[str, str], wrong: list[FieldViolation]) -> tuple[tuple[str, str], ...]:
    """The headers that a provider of the dialect is to get too. What they permit is judged where it stands."""
    if headers.get(_VERSION_HEADER, _VERSIONS[0]) not in _VERSIONS:
        wrong.append(FieldViolation(_VERSION_HEADER, f"must be one of {', '.join(_VERSIONS)}"))
    beta = headers.get(_BETA_HEADER, "")
    if len(beta) > _MOST_BETA or not (beta.isascii() and beta.isprintable()):
        wrong.append(FieldViolation(_BETA_HEADER, f"must be at most {_MOST_BETA} printable characters"))
    return ((_BETA_HEADER, beta),) if beta else ()


def _model(value: Any, reading: _Reading) -> None:
    reading.model = _name(value)


def _system(value: Any, reading: _Reading) -> None:
    # It comes before all that is said, wherever it stands in the body.
    reading.messages[:0] = system_in(value, reading.found)


def _messages(value: Any, reading: _Reading) -> None:
    reading.messages += turns_in(value, reading.found)


def _max_tokens(value: Any, reading: _Reading) -> None:
    limit = count_in(value, 0, _MOST_TOKENS)
    if not limit:
        # Fills the provider's cache and says nothing: no other provider does that.
        reading.found.add_foreign("max_tokens")
    reading.arguments["max_output_tokens"] = limit or 1


def _temperature(value: Any, reading: _Reading) -> None:
    reading.arguments["temperature"] = number_in(value, 0, 1)


def _top_p(value: Any, reading: _Reading) -> None:
    reading.sampling["top_p"] = number_in(value, 0, 1)


def _top_k(value: Any, reading: _Reading) -> None:
    reading.sampling["top_k"] = count_in(value, 0, _MOST_TOKENS)


def _stop_sequences(value: Any, reading: _Reading) -> None:
    reading.arguments["stop"] = tuple(each_in(list_in(value, 0, _MOST_STOPS), _name))


def _stream(value: Any, reading: _Reading) -> None:
    reading.arguments["whole"] = not flag_in(value)


def _metadata(value: Any, reading: _Reading) -> None:
    metadata = object_in(value)
    if any(name != "user_id" and note is not None for name, note in metadata.items()):
        # The caller's own notes: whatever they are called, no server takes them for parameters.
        reading.found.hints["metadata"] = None
    reading.arguments["end_user"] = maybe_in(metadata, "user_id", lambda user: text_in(user, _MOST_NAME), "")


def _service_tier(value: Any, reading: _Reading) -> None:
    # `auto` is what holds where nothing is said.
    if one_of(value, ("auto", "standard_only")) != "auto":
        reading.found.add_foreign("service_tier")


def _speed(value: Any, reading: _Reading) -> None:
    del reading
    if text_in(value) != "standard":
        raise WrongFieldError("must be standard or left out: others cost more than is known")


def _cache_control(value: Any, reading: _Reading) -> None:
    """Read for its form alone: it is for whoever keeps prompts."""
    cache_lifetime(value)
    reading.found.hints["cache_control"] = None


def _thinking(value: Any, reading: _Reading) -> None:
    thinking = object_in(value)
    kind = field_in(thinking, "type", text_in)
    reading.reasons = True
    reading.shown = maybe_in(thinking, "display", text_in, "") != "omitted"
    if kind == "enabled":
        reading.budget_tokens = field_in(thinking, "budget_tokens", lambda n: count_in(n, _LEAST_BUDGET, _MOST_TOKENS))
    elif kind == "disabled":
        reading.budget_tokens, reading.shown = 0, False
    elif kind != "adaptive":
        reading.found.add_foreign("thinking", thinking)


def _output_config(value: Any, reading: _Reading) -> None:
    config = object_in(value)
    reading.found.rest_of(config, frozenset({"effort", "format"}))
    reading.effort = maybe_in(config, "effort", lambda effort: word_in(effort, 32), "")
    reading.reasons = reading.reasons or bool(reading.effort)
    maybe_in(config, "format", lambda form: _output_format(form, reading), None)


def _output_format(value: Any, reading: _Reading) -> None:
    form = object_in(value)
    field_in(form, "type", lambda kind: one_of(kind, ("json_schema",)))
    reading.arguments["response_schema"] = field_in(form, "schema", object_in)


def _thread(value: Any, reading: _Reading) -> None:
    del value, reading
    raise WrongFieldError("needs stored state, and nothing is stored here: send the whole conversation as messages")


def _tools(value: Any, reading: _Reading) -> None:
    reading.arguments["tools"] = tools_in(value, reading.found)


def _tool_choice(value: Any, reading: _Reading) -> None:
    reading.arguments["tool_choice"], reading.arguments["parallel_tool_calls"] = tool_choice_in(value, reading.found)


def _name(value: Any) -> str:
    return word_in(value, _MOST_NAME)


_NEEDED = ("model", "messages", "max_tokens")
_NEEDED_TO_COUNT = ("model", "messages")
_READERS: Mapping[str, Callable[[Any, _Reading], None]] = {
    "model": _model,
    "messages": _messages,
    "max_tokens": _max_tokens,
    "system": _system,
    "stream": _stream,
    "temperature": _temperature,
    "top_p": _top_p,
    "top_k": _top_k,
    "stop_sequences": _stop_sequences,
    "metadata": _metadata,
    "service_tier": _service_tier,
    "speed": _speed,
    "cache_control": _cache_control,
    "thinking": _thinking,
    "output_config": _output_config,
    "output_format": _output_format,
    THREAD: _thread,
    "tools": _tools,
    "tool_choice": _tool_choice,
}


def _without_unsigned(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The body without thoughts that have no signature: another provider's, which this dialect's do not take."""
    messages = [
        {**message, "content": [block for block in message["content"] if not _is_unsigned(block)]}
        if type(message["content"]) is list
        else message
        for message in fields["messages"]
    ]
    return {**fields, "messages": messages}


def _is_unsigned(block: Mapping[str, Any]) -> bool:
    return block["type"] == "thinking" and not block.get("signature")
