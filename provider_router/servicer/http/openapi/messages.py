"""Schemas of Anthropic's messages."""

from __future__ import annotations

from provider_router.servicer.http.openapi.shapes import (
    ANY_OBJECT,
    FLAG,
    NUMBER_OF_TOKENS,
    Shape,
    count,
    either,
    listed,
    maybe,
    named,
    number,
    one_of,
    only,
    optional,
    text,
    thing,
    word,
)

_NAME = word(256)
_MOST_TOKENS = 2**31 - 1
_CACHE_CONTROL = thing({}, optional(type=only("ephemeral"), ttl=one_of("5m", "1h")))
_CACHED = optional(cache_control=_CACHE_CONTROL)
_TEXT = thing({"type": only("text"), "text": text()}, _CACHED)
_KNOWN = ["text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking"]
_FOREIGN = thing({"type": {"type": "string", "not": {"enum": _KNOWN}}}, says="Only for providers that know it.")
_SOURCED = thing({"type": one_of("image", "document"), "source": thing({"type": text()})}, _CACHED)
_SHOWN = either(_TEXT, _SOURCED, _FOREIGN)
_RESULT = thing(
    {"type": only("tool_result"), "tool_use_id": _NAME},
    optional(content=either(text(), listed(_SHOWN)), is_error=FLAG, cache_control=_CACHE_CONTROL),
)
_OWN = either(
    _TEXT,
    thing({"type": only("tool_use"), "id": _NAME, "name": _NAME, "input": ANY_OBJECT}, _CACHED),
    thing({"type": only("thinking"), "thinking": text()}, optional(signature=text())),
    thing({"type": only("redacted_thinking"), "data": word(0)}),
    _FOREIGN,
)
_MESSAGE = either(
    thing({"role": only("user"), "content": either(text(), listed(either(_SHOWN, _RESULT)))}),
    thing({"role": only("assistant"), "content": either(text(), listed(_OWN))}),
    thing({"role": only("system"), "content": either(text(), listed(_TEXT))}),
)
_TOOL = either(
    thing(
        {"name": _NAME, "input_schema": ANY_OBJECT},
        optional(type=only("custom"), description=text(), strict=FLAG, cache_control=_CACHE_CONTROL),
    ),
    thing({"type": {"type": "string", "not": {"const": "custom"}}}, says="Only for providers that know it."),
)
_ALONE = optional(disable_parallel_tool_use=FLAG)
_CHOICE = either(
    thing({"type": one_of("auto", "any", "none")}, _ALONE), thing({"type": only("tool"), "name": _NAME}, _ALONE)
)
_THINKING = either(
    thing({"type": only("enabled"), "budget_tokens": count(1024, _MOST_TOKENS)}, optional(display=text())),
    thing({"type": {"type": "string", "not": {"const": "enabled"}}}, optional(display=text())),
)
_FORMAT = thing({"type": only("json_schema"), "schema": ANY_OBJECT})
_ASKED: Shape = {"model": _NAME, "messages": listed(_MESSAGE, 1, 100_000)}
_MORE = optional(
    system=either(text(), listed(_TEXT)),
    stream=FLAG,
    temperature=number(0, 1),
    top_p=number(0, 1),
    top_k=count(0, _MOST_TOKENS),
    stop_sequences=listed(_NAME, most=8191),
    metadata=thing({}, optional(user_id=text(256))),
    service_tier=one_of("auto", "standard_only"),
    speed=text(),
    cache_control=_CACHE_CONTROL,
    thinking=_THINKING,
    output_config=thing({}, optional(effort=word(32), format=_FORMAT)),
    output_format=_FORMAT,
    tools=listed(_TOOL),
    tool_choice=_CHOICE,
)
_USAGE = thing(
    {"input_tokens": NUMBER_OF_TOKENS, "output_tokens": NUMBER_OF_TOKENS},
    optional(cache_creation_input_tokens=NUMBER_OF_TOKENS, cache_read_input_tokens=NUMBER_OF_TOKENS),
)
_STOPS = one_of(
    "end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded"
)

SCHEMAS: Shape = {
    "MessageRequest": thing(
        _ASKED | {"max_tokens": count(0, _MOST_TOKENS)},
        _MORE,
        "Fields that are not named here reach a provider of the dialect as they are.",
    ),
    "CountTokensRequest": thing(_ASKED, optional(max_tokens=count(0, _MOST_TOKENS)) | _MORE),
    "TokenCount": thing({"input_tokens": NUMBER_OF_TOKENS}),
    "Message": thing(
        {
            "id": text(),
            "type": only("message"),
            "role": only("assistant"),
            "model": text(),
            "content": listed(thing({"type": text()})),
            "stop_reason": _STOPS,
            "stop_sequence": maybe(text()),
            "usage": named("MessageUsage"),
        }
    ),
    "MessageUsage": _USAGE,
    "MessagesError": thing(
        {
            "type": only("error"),
            "error": thing({"type": text(), "message": text()}),
        },
        {"request_id": text()},
    ),
}
