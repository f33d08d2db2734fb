"""What the provider does without a script: a small deterministic agent.

In one message it asks for every offered tool whose subject the user's text touches:

| tool | asked for when the text has |
| --- | --- |
| calculator | arithmetic, such as `12*12` or `sqrt(144)` |
| execute_code | a fenced code block |
| get_current_time | the word time or date |
| get_user_context | the word calendar, schedule, meeting or appointment |

After tool results it states each of them; without any it repeats the user's text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson

from shared.testing.scripted_provider.request import JsonObject, ProviderRequest
from shared.testing.scripted_provider.script import Reply, ToolCall

_ARITHMETIC = re.compile(r"(?:\d+(?:\.\d+)?|sqrt|[-+*/%^()]|[^\S\n])+")
_FENCE = re.compile(r"```[ \t]*\w*[ \t]*\n(.*?)```", re.DOTALL)
_TIME = re.compile(r"\b(?:time|date)\b", re.IGNORECASE)
_CALENDAR = re.compile(r"\b(?:calendar|schedule|meetings?|appointments?)\b", re.IGNORECASE)
_ECHO_CHARACTERS = 200


def answer(request: ProviderRequest) -> Reply:
    """Return the reply to a request; the same for the same request."""
    if request.tool_results:
        stated = "; ".join(f"{result.name} says {result.content}" for result in request.tool_results)
        return Reply(text=f"Here is what the tools found: {stated}.")
    calls = tuple(_wanted_calls(request))
    if calls:
        return Reply(tool_calls=calls)
    return Reply(text=f"You said: {request.last_user_text[:_ECHO_CHARACTERS]}")


def arithmetic(text: str) -> str | None:
    """Return the longest arithmetic expression of a text, or None when it holds none."""
    runs = (match.group().strip() for match in _ARITHMETIC.finditer(text))
    found = [run for run in runs if re.search(r"\d\s*[-+*/%^]+\s*[\d(s]|sqrt\(", run)]
    return max(found, key=len, default=None)


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
    for name, (parameter, value) in wanted.items():
        if value is not None and name in request.tools:
            yield ToolCall(name, orjson.dumps(_arguments(request.tools[name], parameter, value)).decode())


def _arguments(schema: JsonObject, parameter: str, value: str) -> JsonObject:
    """Return arguments that fit the schema: the value under its usual or first required name."""
    if not parameter:
        return {}
    required: list[str] = schema.get("required") or [parameter]
    name = parameter if parameter in (schema.get("properties") or {}) else required[0]
    return {name: value}
