"""Every fault of a provider, in each of its dialects, as the official clients of each dialect see it, streamed and
whole: a full answer, or a typed error in the right shape; no truncation that passes for success; nothing billed twice.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import anthropic
import httpx
import openai
import pytest
from gateway_service import KEY, GatewayRouter, gateway_router
from router_faults import BEFORE, BROKEN_TEXT, GOOD, GOOD_MICRO_USD, HARMLESS, TEXT, Fault, Place, balanced, scripted
from uncollected import ours, uncollected

from shared.testing.scripted_provider import EndlessStream, ErrorInStream, Garbage, Hang, Reply, Reset, Status, Truncate

MESSAGES = [{"role": "user", "content": "Hi"}]
DIALECTS = {"chatty": "openai_compatible", "claudish": "anthropic", "responsive": "openai_responses"}
ENDS = {"chat": "[DONE]", "messages": "message_stop", "responses": "response.completed"}
# Eighteen clients in one process are slow: a piece that waits for them is no silence.
TIMES = {"first_token_timeout_s": 0.8, "idle_timeout_s": 0.5, "total_timeout_s": 2.0}
# In pieces that come apart, so that what went before the fault is sent on before it.
_PARTIAL = Reply(BROKEN_TEXT, chunk_delay_s=0.02)
MIDWAY: dict[str, Fault] = {
    "cut mid-stream": Fault(scripted(Truncate(after_chunks=4, reply=_PARTIAL)), ("PROVIDER_BAD_RESPONSE",)),
    "reset mid-stream": Fault(
        scripted(Reset(after_chunks=4, reply=_PARTIAL)), ("PROVIDER_UNREACHABLE", "PROVIDER_BAD_RESPONSE")
    ),
    "silence mid-stream": Fault(scripted(Hang("mid_stream", _PARTIAL, after_chunks=4)), ("PROVIDER_TIMEOUT",)),
    "garbage mid-stream": Fault(scripted(Garbage(after_chunks=4, reply=_PARTIAL)), ("PROVIDER_BAD_RESPONSE",)),
    "error mid-stream": Fault(
        scripted(ErrorInStream(after_chunks=4, message="sk-secret", reply=_PARTIAL)), ("PROVIDER_ERROR",)
    ),
    "no end": Fault(scripted(EndlessStream(chunk_delay_s=0.05)), ("PROVIDER_TIMEOUT",)),
}
FAULTS: dict[str, Fault] = {
    **BEFORE,
    **MIDWAY,
    **HARMLESS,
    "529": Fault(scripted(Status(529)), ("PROVIDER_ERROR",)),
    "reset before the head": Fault(scripted(Reset(before="headers")), ("PROVIDER_UNREACHABLE",)),
}
CHAINED = [
    ("401", "chatty", "claudish"),
    ("429 with Retry-After", "claudish", "chatty"),
    ("500", "responsive", "chatty"),
    ("hang before first token", "chatty", "responsive"),
    ("reset before the head", "claudish", "responsive"),
    ("error first inside a 200 stream", "responsive", "claudish"),
]


@dataclass
class Outcome:
    """What became of one call.

    Attributes:
        text: That came.
        is_complete: Whether the client took it for the whole answer.
        error: That the client raised.
    """

    text: str = ""
    is_complete: bool = False
    error: openai.APIError | anthropic.APIError | None = None


Ask = Callable[[GatewayRouter, str, Outcome], Awaitable[None]]


async def chat(gateway: GatewayRouter, model: str, outcome: Outcome) -> None:
    answer = await gateway.openai.chat.completions.create(model=model, messages=MESSAGES)
    outcome.text, outcome.is_complete = answer.choices[0].message.content, answer.choices[0].finish_reason == "stop"


async def chat_streamed(gateway: GatewayRouter, model: str, outcome: Outcome) -> None:
    stream = await gateway.openai.chat.completions.create(model=model, messages=MESSAGES, stream=True)
    async for chunk in stream:
        outcome.text += chunk.choices[0].delta.content or ""
        outcome.is_complete = outcome.is_complete or chunk.choices[0].finish_reason is not None


async def messages(gateway: GatewayRouter, model: str, outcome: Outcome) -> None:
    answer = await gateway.anthropic.messages.create(model=model, messages=MESSAGES, max_tokens=100)
    outcome.text, outcome.is_complete = answer.content[0].text, answer.stop_reason == "end_turn"


async def messages_streamed(gateway: GatewayRouter, model: str, outcome: Outcome) -> None:
    stream = await gateway.anthropic.messages.create(model=model, messages=MESSAGES, max_tokens=100, stream=True)
    async for event in stream:
        if event.type == "content_block_delta":
            outcome.text += event.delta.text
        outcome.is_complete = outcome.is_complete or event.type in ("message_delta", "message_stop")


async def responses(gateway: GatewayRouter, model: str, outcome: Outcome) -> None:
    answer = await gateway.openai.responses.create(model=model, input="Hi")
    outcome.text, outcome.is_complete = answer.output_text, answer.status == "completed"


async def responses_streamed(gateway: GatewayRouter, model: str, outcome: Outcome) -> None:
    async for event in await gateway.openai.responses.create(model=model, input="Hi", stream=True):
        if event.type == "response.output_text.delta":
            outcome.text += event.delta
        outcome.is_complete = outcome.is_complete or event.type == "response.completed"


CALLS: dict[str, Ask] = {
    call.__name__: call for call in (chat, chat_streamed, messages, messages_streamed, responses, responses_streamed)
}


async def outcome_of(call: Ask, gateway: GatewayRouter, model: str) -> Outcome:
    outcome = Outcome()
    try:
        await call(gateway, model, outcome)
    except (openai.APIError, anthropic.APIError) as error:
        outcome.error = error
    return outcome


def providers_file(folder: Path, places: Mapping[str, Place], models: Iterable[str]) -> Path:
    """Each place under its name, in the dialect of that name, with `models`."""
    lines = ["version: 1", "providers:"]
    for name, place in places.items():
        kind = DIALECTS[name]
        url = place.url.removesuffix("/v1") if kind == "anthropic" else place.url
        lines += [f"  {name}:", f"    type: {kind}", f"    base_url: {url}", "    api_key_env: ROUTER_TEST_KEY"]
        lines.append("    models:")
        prices = "usd_per_million_tokens: {input: 1, output: 2}"
        lines += [f"      - {{name: {model}, chat: true, {prices}}}" for model in models]
    lines.append(f"chains: {{chat: [{', '.join(f'{name}/{next(iter(models))}' for name in places)}]}}")
    path = folder / "providers.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTER_TEST_KEY", "sk-test-0123456789")


def check_error(fault: str, call: str, error: openai.APIError | anthropic.APIError) -> None:
    """It is typed, in its dialect's shape, says what happened, and holds no secret."""
    assert "sk-" not in f"{error} {error.body}"
    assert not isinstance(error, (openai.APIConnectionError, anthropic.APIConnectionError)), repr(error)
    if isinstance(error, (openai.APIStatusError, anthropic.APIStatusError)) and error.response.status_code != 200:
        assert 400 <= error.response.status_code < 600
        assert error.response.headers["x-nexus-reason"] in FAULTS[fault].reasons, repr(error)
        assert error.response.headers["request-id"] == error.response.headers["x-request-id"]
    if call.startswith("messages"):
        assert error.body["type"] == "error"
        assert {"type", "message"} <= error.body["error"].keys()
    else:
        assert {"message", "type", "param", "code"} <= error.body.keys()


def check(fault: str, call: str, outcome: Outcome) -> None:
    where = f"{call}: {outcome}"
    if fault in HARMLESS:
        assert (outcome.text, outcome.is_complete) == (TEXT, True), where
        return
    assert outcome.error is not None, where
    assert not outcome.is_complete, where
    assert bool(outcome.text) == (fault in MIDWAY and call.endswith("streamed")), where
    check_error(fault, call, outcome.error)


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_in_each_dialect(tmp_path: Path, fault: str) -> None:
    async with FAULTS[fault].place() as bad:
        file = providers_file(tmp_path, dict.fromkeys(DIALECTS, bad), CALLS)
        async with gateway_router(file, **TIMES) as gateway:
            pairs = list(itertools.product(CALLS, DIALECTS))
            with uncollected() as left:
                outcomes = await asyncio.gather(
                    *(outcome_of(CALLS[call], gateway, f"{provider}/{call}") for call, provider in pairs)
                )
            books = await gateway.books.books()
    # What a call that failed was made of is freed with it.
    assert ours(left) == []
    for (call, provider), outcome in zip(pairs, outcomes, strict=True):
        check(fault, call, outcome)
        attempts = [row for row in books.rows if row.model == f"{provider}/{call}"]
        assert 1 <= len(attempts) <= FAULTS[fault].tries
        # What was said is paid for, once; what was not said is not.
        assert sum(row.cost_micro_usd > 0 for row in attempts) == bool(outcome.text)
    assert balanced(books)
    assert all(row.outcome in ("succeeded", "failed", "aborted") for row in books.rows)
    assert bad.requests() == (len(books.rows) if FAULTS[fault].reached else 0)


@pytest.mark.parametrize(("fault", "first", "second"), CHAINED)
async def test_the_next_model_answers_in_another_dialect(tmp_path: Path, fault: str, first: str, second: str) -> None:
    async with FAULTS[fault].place() as bad, scripted(GOOD)() as good:
        file = providers_file(tmp_path, {first: bad, second: good}, ["m"])
        async with gateway_router(file, **TIMES | {"total_timeout_s": 6.0}) as gateway:
            # A provider that says nothing may be at work on a whole answer: nobody else is asked meanwhile.
            asked = [call for name, call in CALLS.items() if "hang" not in fault or name.endswith("streamed")]
            with uncollected() as left:
                outcomes = await asyncio.gather(*(outcome_of(call, gateway, "nexus/auto") for call in asked))
            books = await gateway.books.books()
    assert ours(left) == []
    assert outcomes == [Outcome(TEXT, is_complete=True)] * len(asked)
    assert balanced(books)
    assert books.cost_micro_usd() == GOOD_MICRO_USD * len(asked)


async def test_what_the_routers_end_cuts_short_is_told_and_written_down(tmp_path: Path) -> None:
    async with MIDWAY["silence mid-stream"].place() as silent, httpx.AsyncClient(timeout=20) as client:
        file = providers_file(tmp_path, dict.fromkeys(DIALECTS, silent), ["m"])
        async with gateway_router(file, **TIMES | {"idle_timeout_s": 30.0, "total_timeout_s": 30.0}) as gateway:
            body = {"messages": MESSAGES, "max_tokens": 100, "stream": True}
            calls = [
                asyncio.create_task(
                    client.post(
                        f"{gateway.url}/v1/messages",
                        json={**body, "model": f"{provider}/m"},
                        headers={"x-api-key": KEY, "anthropic-version": "2023-06-01"},
                    )
                )
                for provider in DIALECTS
            ]
            async with asyncio.timeout(10):
                while silent.requests() < len(calls):
                    await asyncio.sleep(0.01)
            # The first pieces come.
            await asyncio.sleep(0.2)
        answers = await asyncio.gather(*calls)
    assert all("overloaded_error" in answer.text and "message_stop" not in answer.text for answer in answers)
    with closing(sqlite3.connect(tmp_path / "data" / "db" / "router.sqlite")) as database:
        rows = database.execute("SELECT outcome, reason, output_tokens > 0 FROM ledger_attempts").fetchall()
        (reserved,) = database.execute("SELECT SUM(reserved_micro_usd) FROM spend").fetchone()
    assert (rows, reserved) == ([("aborted", "SHUTTING_DOWN", 1)] * len(calls), 0)
