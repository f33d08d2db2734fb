"""Which endings of calls over HTTP the soak takes for proper ones."""

from __future__ import annotations

import json

import pytest

from benchmarks.gateway.soak_endings import BROKEN, CHAT, MESSAGES, UNFINISHED, of_stream, of_whole


def piece(text: str) -> str:
    return f"data: {json.dumps({'choices': [{'delta': {'content': text}}]})}\n\n"


def delta(text: str) -> str:
    return (
        f"event: content_block_delta\ndata: {json.dumps({'type': 'content_block_delta', 'delta': {'text': text}})}\n\n"
    )


CHAT_END = "data: [DONE]\n\n"
MESSAGES_END = 'event: message_stop\ndata: {"type":"message_stop"}\n\n'
CHAT_ERROR = 'data: {"error":{"message":"broke off","type":"server_error","code":"stream_broken"}}\n\n'
MESSAGES_ERROR = 'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"broke off"}}\n\n'


@pytest.mark.parametrize(
    ("path", "body", "ending"),
    [
        (CHAT, piece("Hello") + ": heartbeat\n\n" + CHAT_END, "streamed, whole"),
        (CHAT, piece("Hello") + CHAT_ERROR, "stream_broken"),
        (CHAT, piece("Hello"), BROKEN),
        (CHAT, "", BROKEN),
        (CHAT, piece(UNFINISHED[:9]) + piece(UNFINISHED[9:]) + CHAT_END, BROKEN),
        (MESSAGES, delta("Hello") + MESSAGES_END, "streamed, whole"),
        (MESSAGES, delta("Hello") + MESSAGES_ERROR, "api_error"),
        (MESSAGES, delta("Hello"), BROKEN),
        (MESSAGES, delta(UNFINISHED) + MESSAGES_END, BROKEN),
    ],
)
def test_a_stream_ends_with_its_dialects_end_or_error(path: str, body: str, ending: str) -> None:
    assert ending in of_stream(path, 200, body.encode())


@pytest.mark.parametrize(
    ("path", "status", "body", "ending"),
    [
        (CHAT, 200, {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}, "whole"),
        (CHAT, 200, {"choices": [{"message": {"content": UNFINISHED}, "finish_reason": "stop"}]}, BROKEN),
        (CHAT, 503, {"error": {"message": "down", "type": "server_error", "code": "circuit_open"}}, "503 circuit_open"),
        (CHAT, 500, {"error": {"message": "oh", "type": "server_error", "code": "internal"}}, BROKEN),
        (CHAT, 503, {"detail": "down"}, BROKEN),
        (MESSAGES, 200, {"content": [], "stop_reason": "end_turn"}, "whole"),
        (
            MESSAGES,
            529,
            {"type": "error", "error": {"type": "overloaded_error", "message": "down"}},
            "overloaded_error",
        ),
        (MESSAGES, 529, {"error": {"type": "overloaded_error", "message": "down"}}, BROKEN),
    ],
)
def test_a_whole_answer_or_an_error_has_its_dialects_shape(path: str, status: int, body: object, ending: str) -> None:
    assert ending in of_whole(path, status, json.dumps(body).encode())
