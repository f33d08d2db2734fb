"""Which tools a question needs: labelled questions against recorded vectors of the embedding model that ships."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from orchestrator_fakes import FakeEmbedder, FakeModels, says

from orchestrator.adapters.prompt_book_files import FilePromptBook
from orchestrator.adapters.tool_strategy_similarity import SimilarityToolStrategy
from orchestrator.domain.tools import Tool
from orchestrator.ports.tool_strategy import PlannedCall, PlanRequest
from shared.errors import PreconditionFailed

DATA = Path(__file__).parent / "data"
CASES = json.loads((DATA / "tool_choice_cases.json").read_text())
VECTORS = json.loads((DATA / "tool_choice_vectors.json").read_text())
TOOLS = tuple(Tool(t["name"], t["description"], '{"type":"object"}', 5.0, tuple(t["examples"])) for t in CASES["tools"])
LABELLED = [(want, question) for want, questions in CASES["questions"].items() for question in questions]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class RecordedEmbedder:
    """`Embedder` over the recorded vectors."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    async def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
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


def asked(question: str, tools: tuple[Tool, ...] = TOOLS) -> PlanRequest:
    return PlanRequest(question, tools, NOW, "local/small", 10.0, "run-1:plan")


@pytest.mark.parametrize(("want", "question"), LABELLED, ids=[question[:50] for _, question in LABELLED])
async def test_a_labelled_question_gets_its_tool_or_none(strategy, want, question) -> None:
    plan = await strategy.plan(asked(question))
    assert [call.tool for call in plan.calls] == ([] if want == "none" else [want])


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
    models = FakeModels(says("```json\n", '{"expression":"40*0.75"}', "\n```"))
    strategy = SimilarityToolStrategy(recorded, models, FilePromptBook())
    plan = await strategy.plan(asked("If a shirt costs 40 and is 25% off, what do I pay?"))
    assert plan.calls == (PlannedCall("calculator", '{"expression":"40*0.75"}'),)
    assert [usage.input_tokens for usage in plan.usage] == [10]
    (request,) = models.requests
    assert request.response_json_schema == '{"type":"object"}'
    assert (request.model, request.temperature) == ("local/small", 0.0)


async def test_a_model_that_writes_no_arguments_calls_nothing(recorded) -> None:
    strategy = SimilarityToolStrategy(recorded, FakeModels(says("I cannot.")), FilePromptBook())
    plan = await strategy.plan(asked("If a shirt costs 40 and is 25% off, what do I pay?"))
    assert plan.calls == ()
    assert len(plan.usage) == 1


async def test_a_tool_that_is_off_is_never_planned(strategy) -> None:
    without = tuple(tool for tool in TOOLS if tool.name != "calculator")
    assert (await strategy.plan(asked("What is 23*17 + sqrt(144)?", without))).calls == ()


async def test_the_texts_of_the_tools_are_embedded_once_for_each_set() -> None:
    embedder = FakeEmbedder()
    strategy = SimilarityToolStrategy(embedder, FakeModels(), FilePromptBook())
    for tools in (TOOLS, TOOLS, TOOLS[:2], TOOLS):
        await strategy.plan(asked("hello", tools))
    assert sorted(embedder.calls)[:4] == [1, 1, 1, 1]
    assert len(embedder.calls) == 6


async def test_without_an_embedding_model_clear_signs_still_decide() -> None:
    embedder = FakeEmbedder()
    embedder.error = PreconditionFailed("NO_MODEL_CONFIGURED", "None.")
    strategy = SimilarityToolStrategy(embedder, FakeModels(), FilePromptBook())
    assert (await strategy.plan(asked("what time is it?"))).calls == ()
    assert len((await strategy.plan(asked("What is 2+2?"))).calls) == 1
