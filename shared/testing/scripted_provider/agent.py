"""What the provider does without a script: a small deterministic agent.

In one message it asks for every offered tool whose subject the user's text touches:

| tool | asked for when the text has |
| --- | --- |
| calculator | arithmetic, such as `12*12` or `sqrt(144)` |
| execute_code | a fenced code block |
| get_current_time | the word time or date |
| get_user_context | the word calendar, schedule, meeting or appointment |

A tool that it must call it calls, with arguments that follow the tool's schema; one that it must not call it does not.
After tool results it states each of them; without any it repeats the user's text, and says which images and files came
with it. Where a JSON Schema is given, its answer follows that. It thinks where it is asked to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import orjson

from shared.testing.scripted_provider.reply import Reply, ToolCall
from shared.testing.scripted_provider.request import JsonObject, ProviderRequest
from shared.testing.scripted_provider.sample import sample

_ARITHMETIC = re.compile(r"(?:\d+(?:\.\d+)?|sqrt|[-+*/%^()]|[^\S\n])+")
_FENCE = re.compile(r"```[ \t]*\w*[ \t]*\n(.*?)```", re.DOTALL)
_TIME = re.compile(r"\b(?:time|date)\b", re.IGNORECASE)
_CALENDAR = re.compile(r"\b(?:calendar|schedule|meetings?|appointments?)\b", re.IGNORECASE)
_ECHO_CHARACTERS = 200
SIGNATURE = "c2NyaXB0ZWQgc2lnbmF0dXJl"
"""Of all that the agent thinks."""


def answer(request: ProviderRequest) -> Reply:
    """Return the reply to a request; the same for the same request."""
    reply = _said(request)
    if not request.wishes.thinking:
        return reply
    return replace(reply, thinking=f"The user says: {request.last_user_text[:40]}", signature=SIGNATURE)


def arithmetic(text: str) -> str | None:
    """Return the longest arithmetic expression of a text, or None when it holds none."""
    runs = (match.group().strip() for match in _ARITHMETIC.finditer(text))
    found = [run for run in runs if re.search(r"\d\s*[-+*/%^]+\s*[\d(s]|sqrt\(", run)]
    return max(found, key=len, default=None)


def _said(request: ProviderRequest) -> Reply:
    wishes = request.wishes
    if wishes.tool_use != "none" and not request.tool_results:
        calls = tuple(_wanted_calls(request)) or tuple(_forced_calls(request))
        if calls:
            return Reply(tool_calls=calls if wishes.parallel else calls[:1])
    if wishes.schema is not None:
        return Reply(orjson.dumps(sample(wishes.schema, request.last_user_text[:_ECHO_CHARACTERS])).decode())
    return _cut(_text(request), wishes.stop)


def _text(request: ProviderRequest) -> str:
    if request.tool_results:
        stated = "; ".join(f"{result.name} says {result.content}" for result in request.tool_results)
        return f"Here is what the tools found: {stated}."
    seen = "; ".join(map(str, request.attachments))
    return f"You said: {request.last_user_text[:_ECHO_CHARACTERS]}" + (f" I see: {seen}." if seen else "")


def _cut(text: str, stops: tuple[str, ...]) -> Reply:
    """The text up to the first of `stops`."""
    found = min(((text.find(stop), stop) for stop in stops if stop in text), default=None)
    return Reply(text) if found is None else Reply(text[: found[0]], stop_text=found[1])


def _wanted_calls(request: ProviderRequest) -> Iterator[ToolCall]:
    text = request.last_user_text
    fence = _FENCE.search(text)
    expression = None if fence else arithmetic(text)
    wanted = {
        "calculator": ("expression", expression),
        "execute_code": ("code", fence.group(1) if fence else None),
        "get_current_time": ("", "" if _TIME.search(text) else None),
        "get_user_context": ("", "" if _CALENDAR.search(text) else None),
    }
    only = request.wishes.tool_name
    for name, (parameter, value) in wanted.items():
        if value is not None and name in request.tools and only in ("", name):
            yield ToolCall(name, orjson.dumps(_arguments(request.tools[name], parameter, value)).decode())


def _forced_calls(request: ProviderRequest) -> Iterator[ToolCall]:
    if request.wishes.tool_use == "required" and request.tools:
        name = request.wishes.tool_name or next(iter(request.tools))
        arguments = sample(request.tools[name] or {"type": "object"}, request.last_user_text[:_ECHO_CHARACTERS])
        yield ToolCall(name, orjson.dumps(arguments).decode())


def _arguments(schema: JsonObject, parameter: str, value: str) -> JsonObject:
    """Return arguments that fit the schema: the value under its usual or first required name."""
    if not parameter:
        return {}
    required: list[str] = schema.get("required") or [parameter]
    name = parameter if parameter in (schema.get("properties") or {}) else required[0]
    return {name: value}
