"""Arguments that a question holds for the search of the organisation's knowledge."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from orchestrator.domain.known_arguments import EXECUTE_CODE, KNOWLEDGE, SHELL, Setting, known_arguments

NOW = Setting(datetime(2026, 11, 20, 12, tzinfo=UTC), ())


def test_knowledge_is_asked_with_the_question_and_only_when_it_is_chosen() -> None:
    found = known_arguments(KNOWLEDGE, 'What does our "handbook" say?', NOW)
    assert found is not None
    assert [json.loads(call) for call in found.calls] == [{"query": 'What does our "handbook" say?'}]
    assert (found.evident, found.certain) == (False, False)


def test_a_long_question_fits_the_tools_schema() -> None:
    found = known_arguments(KNOWLEDGE, "a" * 5_000, NOW)
    assert found is not None
    assert json.loads(found.calls[0]) == {"query": "a" * 1_000}


FIRST, SECOND = "01a1fb02-77bd-7e43-bafe-ac0e1f1d22ab", "01A1FB02-77BD-7E43-BAFE-AC0E1F1D22AC"


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (f"Run this over artifact {FIRST}:", [FIRST]),
        (f"Load the artifacts {FIRST} and {SECOND}, {FIRST} and run this:", [FIRST, SECOND.lower()]),
        (f"My key is {FIRST}. Run this:", None),
        ("Run this, it leaves an artifact:", None),
    ],
)
@pytest.mark.parametrize(("tool", "language", "name"), [(EXECUTE_CODE, "python", "code"), (SHELL, "bash", "command")])
def test_artifacts_named_beside_a_program_are_put_beside_it(
    words: str, ids: list[str] | None, tool: str, language: str, name: str
) -> None:
    program = f"echo {SECOND}" if tool == SHELL else f"print('artifact {SECOND}')"
    found = known_arguments(tool, f"{words}\n```{language}\n{program}\n```", NOW)
    assert found is not None
    arguments = json.loads(found.calls[0])
    assert arguments[name] == program
    assert arguments.get("artifacts") == (ids and [{"artifact_id": each} for each in ids])
