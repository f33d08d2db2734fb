"""Arguments that a question holds for the search of the organisation's knowledge."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from orchestrator.domain.known_arguments import KNOWLEDGE, Setting, known_arguments

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
