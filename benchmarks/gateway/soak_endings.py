"""How a call over HTTP ended, in the words of its dialect; what is no proper end is broken."""

from __future__ import annotations

import json
from typing import Any

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
BROKEN = "BROKEN"
UNFINISHED = "This answer will not reach its end"
"""Begins every answer that a provider spoils: who is told that one of these is whole is told wrong."""


def of_whole(path: str, status: int, body: bytes) -> str:
    """Return how a call that asked for a whole answer ended."""
    try:
        said: dict[str, Any] = json.loads(body)
    except ValueError:
        return f"{BROKEN}: {status} without JSON"
    if status != 200:
        return _refused(path, status, said)
    ended = said["choices"][0]["finish_reason"] if path == CHAT else said["stop_reason"]
    if not ended or UNFINISHED in body.decode():
        return f"{BROKEN}: a cut answer was given as a whole one"
    return f"{path} whole, 200"


def of_stream(path: str, status: int, body: bytes) -> str:
    """Return how a call that asked for a stream ended, by all that came until its connection said that it is over."""
    if status != 200:
        return of_whole(path, status, body)
    events = [_event(block) for block in body.decode(errors="replace").split("\n\n")]
    told = [(name, data) for name, data in events if data]
    failed = next((data for name, data in told if name == "error" or data.startswith('{"error"')), "")
    if failed:
        return f"{path} streamed, then {_code(json.loads(failed))}"
    name, data = told[-1] if told else ("", "")
    if data != "[DONE]" if path == CHAT else name != "message_stop":
        return f"{BROKEN}: a stream ended without an end"
    if UNFINISHED in _text(path, told):
        return f"{BROKEN}: a cut stream was given as a whole one"
    return f"{path} streamed, whole"


def _refused(path: str, status: int, said: dict[str, Any]) -> str:
    error = said.get("error")
    is_shaped = isinstance(error, dict) and {"type", "message"} <= error.keys()
    if path == MESSAGES:
        is_shaped = is_shaped and said.get("type") == "error"
    if not is_shaped:
        return f"{BROKEN}: {status} in the wrong shape"
    return f"{BROKEN}: internal error" if status == 500 else f"{path} refused, {status} {_code(said)}"


def _code(said: dict[str, Any]) -> str:
    """The name of an error: OpenAI's code, or Anthropic's type."""
    error = said["error"]
    return str(error.get("code") or error.get("type"))


def _event(block: str) -> tuple[str, str]:
    name = data = ""
    for line in block.split("\n"):
        field, _, value = line.partition(":")
        if field == "event":
            name = value.strip()
        elif field == "data":
            data += value.strip()
    return name, data


def _text(path: str, told: list[tuple[str, str]]) -> str:
    """The text that a stream said."""
    text = ""
    for _, data in told:
        if data == "[DONE]":
            continue
        said: dict[str, Any] = json.loads(data)
        if path == CHAT:
            text += "".join(choice["delta"].get("content") or "" for choice in said["choices"])
        else:
            text += said.get("delta", {}).get("text", "")
    return text
