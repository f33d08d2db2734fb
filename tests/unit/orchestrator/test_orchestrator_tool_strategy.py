"""Which tools a question needs: labelled questions against recorded vectors of the embedding model that ships."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from orchestrator_fakes import FakeEmbedder, FakeModels, says

from orchestrator.adapters.prompt_book_files import FilePromptBook
from orchestrator.adapters.tool_strategy_similarity import SimilarityToolStrategy
from orchestrator.adapters.tool_vectors import ToolVectors, no_tool_examples, texts_of
from orchestrator.domain.prompts import CannotCalculate, CannotWriteCode, OnlyPython, PlaceUnknown
from orchestrator.domain.routing import DEFAULT_ROUTING, Routing
from orchestrator.domain.tool_choice import ChoiceRules, named_tool
from orchestrator.domain.tools import Tool
from orchestrator.ports.tool_strategy import PlannedCall, PlanRequest
from shared.errors import DeadlineExceeded, PreconditionFailed

DATA = Path(__file__).parent / "data"
CASES = json.loads((DATA / "tool_choice_cases.json").read_text())
VECTORS = json.loads((DATA / "tool_choice_vectors.json").read_text())
TOOLS = tuple(Tool(t["name"], t["description"], '{"type":"object"}', 5.0, tuple(t["examples"])) for t in CASES["tools"])
HELD_OUT = json.loads((DATA / "tool_choice_heldout.json").read_text())
LABELLED = [(want, question) for want, questions in CASES["questions"].items() for question in questions]
WORDED = "calculate the area of a circle with radius 3"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class RecordedEmbedder:
    """`Embedder` over the recorded vectors."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    async def embed(self, texts: Sequence[str], routing: Routing = DEFAULT_ROUTING) -> list[tuple[float, ...]]:
        self.calls.append(len(texts))
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> tuple[float, ...]:
        raw = base64.b64decode(VECTORS[hashlib.sha256(text.encode()).hexdigest()[:16]])
        values = [byte - 256 if byte > 127 else byte for byte in raw]
        length = math.sqrt(sum(value * value for value in values))
        return tuple(value / length for value in values)


@pytest.fixture(scope="module")
def recorded() -> RecordedEmbedder:
    return RecordedEmbedder()


@pytest.fixture(scope="module")
def strategy(recorded) -> SimilarityToolStrategy:
    return SimilarityToolStrategy(recorded, FakeModels(says('{"made":"by the model"}')), FilePromptBook())


def asked(question: str, tools: tuple[Tool, ...] = TOOLS, *, demonstration: bool = False) -> PlanRequest:
    return PlanRequest(question, tools, NOW, "local/small", 10.0, "run-1:plan", demonstration)


@pytest.mark.parametrize(("want", "question"), LABELLED, ids=[question[:50] for _, question in LABELLED])
async def test_a_labelled_question_gets_its_tool_or_none(strategy, want, question) -> None:
    plan = await strategy.plan(asked(question))
    assert [call.tool for call in plan.calls] == ([] if want == "none" else [want])


async def test_questions_that_nothing_was_set_against_get_their_tool_or_none(strategy) -> None:
    """Thresholds, examples and rules are never changed for a question of this set."""
    asked_of = [(want, question) for want, questions in HELD_OUT.items() for question in questions]
    right = 0
    for want, question in asked_of:
        plan = await strategy.plan(asked(question))
        right += ([call.tool for call in plan.calls] or ["none"]) == [want]
    assert len(asked_of) == 80
    assert right >= 76, f"{right} of {len(asked_of)}"


@pytest.mark.parametrize(
    ("question", "calls"),
    [
        ("What is 23*17 + sqrt(144)?", [("calculator", {"expression": "23*17 + sqrt(144)"})]),
        ("Run this:\n```python\nfor i in range(3):\n    print(i)\n```",
         [("execute_code", {"code": "for i in range(3):\n    print(i)"})]),
        ("what is on my calendar tomorrow?", [("get_user_context", {"day": "tomorrow"})]),
        ("what's my schedule this week?", [("get_user_context", {"day": "this_week"})]),
        ("when is my dentist appointment?", [("get_user_context", {})]),
        ("what's the time in Berlin?", [("get_current_time", {"time_zone": "Europe/Berlin"})]),
        ("What is 2+2 and what time is it?",
         [("calculator", {"expression": "2+2"}), ("get_current_time", {})]),
        ("hello! what is 2+2?", [("calculator", {"expression": "2+2"})]),
        ("Run this: ```python\nprint(1+1)\n```", [("execute_code", {"code": "print(1+1)"})]),
        ("What time is it in Tokyo?", [("get_current_time", {"time_zone": "Asia/Tokyo"})]),
        ("what do I have planned for the weekend?", [("get_user_context", {"day": "this_weekend"})]),
    ],
)  # fmt: skip
async def test_arguments_come_from_the_question(strategy, question, calls) -> None:
    plan = await strategy.plan(asked(question))
    made = [(call.tool, json.loads(call.arguments_json)) for call in plan.calls]
    for _, arguments in made:
        if "expression" in arguments:
            arguments["expression"] = arguments["expression"].replace("2 + 2", "2+2")
    assert made == calls


async def test_arguments_that_no_rule_finds_come_from_the_model_under_the_schema(recorded) -> None:
    models = FakeModels(says("```json\n", '{"expression":"pi*3^2"}', "\n```"))
    strategy = SimilarityToolStrategy(recorded, models, FilePromptBook())
    plan = await strategy.plan(asked(WORDED))
    assert plan.calls == (PlannedCall("calculator", '{"expression":"pi*3^2"}'),)
    assert [usage.input_tokens for usage in plan.usage] == [10]
    (request,) = models.requests
    assert request.response_json_schema == '{"type":"object"}'
    assert request.model == "local/small"


async def test_a_model_that_writes_no_arguments_calls_nothing(recorded) -> None:
    strategy = SimilarityToolStrategy(recorded, FakeModels(says("I cannot.")), FilePromptBook())
    plan = await strategy.plan(asked(WORDED))
    assert plan.calls == ()
    assert len(plan.usage) == 1


async def test_a_tool_that_is_off_is_never_planned(strategy) -> None:
    without = tuple(tool for tool in TOOLS if tool.name != "calculator")
    assert (await strategy.plan(asked("What is 23*17 + sqrt(144)?", without))).calls == ()


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (WORDED, CannotCalculate()),
        ("Run this code for me", CannotWriteCode()),
        ("please run the snippet", CannotWriteCode()),
        ("write a python program to print the primes below 50 and run it", CannotWriteCode()),
    ],
)
async def test_the_demonstration_model_writes_no_arguments_of_a_tool_with_rules(recorded, question, reason) -> None:
    models = FakeModels(says('{"code":"#!/bin/bash"}'))
    plan = await SimilarityToolStrategy(recorded, models, FilePromptBook()).plan(asked(question, demonstration=True))
    assert (plan.calls, set(plan.declined), plan.usage) == ((), {reason}, ())
    assert len(plan.declined) == 1
    assert models.requests == []


OTHER = Tool(
    "send_parcel",
    "Sends a parcel.",
    '{"type":"object","properties":{"to":{"type":"string"},"note":{"type":"string"}},"required":["to"]}',
    5.0,
    ("send a parcel to Anna",),
)


async def test_the_demonstration_model_is_asked_for_no_more_than_a_tool_requires() -> None:
    models = FakeModels(says('{"to":"Bob"}'))
    strategy = SimilarityToolStrategy(FakeEmbedder(), models, FilePromptBook())
    plan = await strategy.plan(asked("send a parcel to Bob", (OTHER,), demonstration=True))
    assert plan.calls == (PlannedCall("send_parcel", '{"to":"Bob"}'),)
    assert list(json.loads(models.requests[0].response_json_schema or "")["properties"]) == ["to"]
    undemanding = replace(OTHER, input_json_schema='{"type":"object","properties":{"note":{"type":"string"}}}')
    plan = await strategy.plan(asked("send a parcel to Bob", (undemanding,), demonstration=True))
    assert plan.calls == (PlannedCall("send_parcel", "{}"),)
    assert len(models.requests) == 1


async def test_code_that_shall_not_be_run_is_not_run() -> None:
    strategy = SimilarityToolStrategy(AllAlike(), FakeModels(), FilePromptBook(), ChoiceRules(least_lead_over_none=0))
    only = tuple(tool for tool in TOOLS if tool.name == "execute_code")
    for words in ("Don't run this code for me", "explain this program"):
        plan = await strategy.plan(asked(f"{words}\n```python\nprint(1)\n```", only, demonstration=True))
        assert (plan.calls, plan.declined) == ((), ())


async def test_a_question_about_code_runs_that_code_and_no_other() -> None:
    models = FakeModels(says('{"code":"garbage"}'))
    strategy = SimilarityToolStrategy(AllAlike(), models, FilePromptBook(), ChoiceRules(least_lead_over_none=0))
    only = tuple(tool for tool in TOOLS if tool.name == "execute_code")
    plan = await strategy.plan(asked("does this work? and well?\n```python\nprint(1)\n```", only))
    assert plan.calls == (PlannedCall("execute_code", '{"code":"print(1)"}'),)
    assert models.requests == []


class AllAlike:
    """`Embedder` for which all texts are alike, so that evidence or the only tool decides."""

    async def embed(self, texts: Sequence[str], routing: Routing = DEFAULT_ROUTING) -> list[tuple[float, ...]]:
        return [(1.0, 0.0)] * len(texts)


@pytest.mark.parametrize(
    ("question", "tools"),
    [
        ("What is 15% of 80 and what time is it in Paris?", ["calculator", "get_current_time"]),
        ("what's the time in Lima?", ["get_current_time"]),
        ("Run this:\n```bash\nls\n```", ["shell"]),
        ("```sh\nls\n```", ["shell"]),
        ("Run this:\n```ruby\nputs 1\n```", []),
        ("Run these:\n```ruby\nputs 1\n```\n```sh\nls\n```", []),
    ],
)
async def test_a_clear_sign_needs_no_embedding_model(question, tools) -> None:
    embedder = FakeEmbedder()
    embedder.error = PreconditionFailed("NO_MODEL_CONFIGURED", "None.")
    plan = await SimilarityToolStrategy(embedder, FakeModels(), FilePromptBook()).plan(asked(question))
    assert [call.tool for call in plan.calls] == tools
    assert bool(plan.declined) is not bool(tools)


async def test_a_command_line_is_run_where_there_is_a_shell(strategy) -> None:
    question = "Run this:\n```bash\nls\nwc -l *.csv\n```"
    plan = await strategy.plan(asked(question))
    assert plan.calls == (PlannedCall("shell", '{"command":"ls\\nwc -l *.csv"}'),)
    without = tuple(tool for tool in TOOLS if tool.name != "shell")
    plan = await strategy.plan(asked(question, without))
    assert (plan.calls, plan.declined) == ((), (OnlyPython("bash"),))
    embedder = FakeEmbedder()
    embedder.error = PreconditionFailed("NO_MODEL_CONFIGURED", "None.")
    unsure = SimilarityToolStrategy(embedder, FakeModels(), FilePromptBook())
    assert (await unsure.plan(asked("Explain this:\n```bash\nls\n```"))).calls == ()


async def test_several_places_are_several_calls() -> None:
    strategy = SimilarityToolStrategy(AllAlike(), FakeModels(), FilePromptBook(), ChoiceRules(least_lead_over_none=0))
    clock = tuple(tool for tool in TOOLS if tool.name == "get_current_time")
    plan = await strategy.plan(asked("time in Berlin and in New York", clock))
    zones = [json.loads(call.arguments_json)["time_zone"] for call in plan.calls]
    assert zones == ["Europe/Berlin", "America/New_York"]
    declined = await strategy.plan(asked("time in Atlantis", clock, demonstration=True))
    assert (declined.calls, declined.declined) == ((), (PlaceUnknown("Atlantis"),))


async def test_the_texts_of_a_tool_are_embedded_once_whatever_is_on() -> None:
    embedder = FakeEmbedder()
    strategy = SimilarityToolStrategy(embedder, FakeModels(), FilePromptBook())
    await strategy.warm(TOOLS[:1])
    assert len(embedder.calls) == 1
    for tools in (TOOLS[:1], TOOLS, TOOLS[:2], TOOLS):
        await strategy.plan(asked("hello", tools))
    texts = sum(len(texts_of(tool)) for tool in TOOLS) + len(no_tool_examples())
    assert sum(embedder.calls) == texts + 4
    assert len(embedder.calls) == 6


@pytest.mark.parametrize(
    ("question", "tool"),
    [
        ("Use b_get_sum with a=1 and b=2", "b_get_sum"),
        ("Add 1 and 2 with the tool `a_get_sum`.", "a_get_sum"),
        ("What does b_get_sum do?", None),
        ("Use c_get_sum", None),
        ("Make use of echo", None),
    ],
)
def test_a_tool_that_a_question_says_to_use_is_chosen_by_its_name(question: str, tool: str | None) -> None:
    assert named_tool(question, {"a_get_sum", "b_get_sum", "echo"}) == tool


async def test_tools_that_are_alike_are_told_apart_by_name() -> None:
    tools = tuple(Tool(f"{server}_tell", "Tells.", '{"type":"object"}', 5.0, ()) for server in "ab")
    strategy = SimilarityToolStrategy(FakeEmbedder(), FakeModels(), FilePromptBook())
    assert (await strategy.plan(asked("Please use b_tell", tools, demonstration=True))).calls == (
        PlannedCall("b_tell", "{}"),
    )


async def test_hundreds_of_tools_are_embedded_by_and_by_where_time_runs_out() -> None:
    class Hurried(FakeEmbedder):
        async def embed(self, texts: Sequence[str], routing: Routing = DEFAULT_ROUTING) -> list[tuple[float, ...]]:
            if len(self.calls) % 2:
                self.calls.append(0)
                raise DeadlineExceeded("PEER_TIMEOUT", "Too slow.")
            return await super().embed(texts, routing)

    embedder = Hurried()
    vectors = ToolVectors(embedder)
    tools = [Tool(f"t{number}", f"does {number}", "{}", 5.0, ()) for number in range(300)]
    for _ in range(2):
        with pytest.raises(DeadlineExceeded):
            await vectors.of(tools)
    assert len((await vectors.of(tools)).tools) == 300
    assert sum(embedder.calls) == 300 + len(no_tool_examples())


async def test_without_an_embedding_model_clear_signs_still_decide() -> None:
    embedder = FakeEmbedder()
    embedder.error = PreconditionFailed("NO_MODEL_CONFIGURED", "None.")
    strategy = SimilarityToolStrategy(embedder, FakeModels(), FilePromptBook())
    assert (await strategy.plan(asked("when is my next meeting?"))).calls == ()
    assert len((await strategy.plan(asked("What is 2+2?"))).calls) == 1


async def test_a_description_that_the_model_has_no_room_for_harms_no_other_tool() -> None:
    embedder = FakeEmbedder()
    strategy = SimilarityToolStrategy(embedder, FakeModels(), FilePromptBook(), ChoiceRules(least_lead_over_none=0))
    long = Tool("long", "x1y2 " * 180, '{"type":"object"}', 5.0, ())
    told = Tool("planets", "names of all planets and moons", '{"type":"object"}', 5.0, ())
    embedder.most_chars = 200
    asked_of = "names of all planets and moons" + " ?" * 300
    plan = await strategy.plan(asked(asked_of, (long, *TOOLS, told), demonstration=True))
    assert [call.tool for call in plan.calls] == ["planets"]
    assert all(len(group) for group in (await ToolVectors(embedder).of((long, *TOOLS))).tools.values())
