"""Checks streams of Anthropic's dialect by its published rules, and puts them together as the official client does."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2
import orjson

DELTAS = {
    "text": {"text_delta", "citations_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
    "redacted_thinking": set[str](),
}


def sent_events(wire: bytes) -> list[dict[str, Any]]:
    """The data of the events in `wire`, each of which has the name that its data has."""
    events = []
    for block in wire.decode().removesuffix("\n\n").split("\n\n"):
        name, *lines = block.split("\n")
        data = orjson.loads("\n".join(line.removeprefix("data: ") for line in lines))
        assert name == f"event: {data['type']}"
        events.append(data)
    return events


def check_stream(events: list[dict[str, Any]]) -> None:
    """Blocks come one after the other, numbered from 0, and each has deltas of its own kind alone."""
    kinds = [event["type"] for event in events if event["type"] != "ping"]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("message_start") == kinds.count("message_delta") == kinds.count("message_stop") == 1
    open_kind, next_index = "", 0
    for event in events[1:-2]:
        match event["type"]:
            case "content_block_start":
                assert not open_kind
                assert event["index"] == next_index
                open_kind, next_index = event["content_block"]["type"], next_index + 1
            case "content_block_delta":
                assert event["index"] == next_index - 1
                assert event["delta"]["type"] in DELTAS[open_kind]
            case "content_block_stop":
                assert open_kind
                assert event["index"] == next_index - 1
                open_kind = ""
            case kind:
                assert kind == "ping"
    assert not open_kind


def client_of(body: bytes, content_type: str, status: int = 200) -> anthropic.Anthropic:
    """The official client, whose every request is answered with `body`."""
    answered = httpx2.MockTransport(
        lambda _: httpx2.Response(status, headers={"content-type": content_type}, content=body)
    )
    transport = httpx2.Client(transport=answered)
    return anthropic.Anthropic(base_url="http://p.test", api_key="k", max_retries=0, http_client=transport)


def accumulated(wire: bytes) -> anthropic.types.Message:
    """What the official client makes of a stream."""
    client = client_of(wire, "text/event-stream")
    said: Any = [{"role": "user", "content": "Hi"}]
    with client, client.messages.stream(model="m", max_tokens=9, messages=said) as stream:
        return stream.get_final_message()
