"""What is much is worked on in a thread, and counts as part of the call."""

from __future__ import annotations

import threading

import pytest
from artifact_fakes import MemoryArtifactStore
from tools_fakes import ScriptedTool, call_context

from tool_executor.adapters.tool_checked import CheckedTool
from tool_executor.domain import output_limit
from tool_executor.domain.tool_call import ToolFailure
from tool_executor.use_cases import bound_result
from tool_executor.use_cases.bound_result import BoundResult, Said
from tool_executor.use_cases.off_loop import off_loop

LITTLE: dict[str, object] = {"a": [1] * 1_000}


@pytest.mark.parametrize(
    ("value", "is_here"),
    [(LITTLE, True), ({"a": [1] * 3_000}, False), ({"a": "x" * 300_000}, False), ({"x" * 300_000: 1}, False)],
)
async def test_only_what_is_little_is_worked_on_at_once(value: object, is_here: bool) -> None:
    here = threading.get_ident()
    assert (await off_loop(value, threading.get_ident) == here) is is_here


async def test_a_large_output_is_cut_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def fit(value: dict[str, object], limit: int) -> tuple[str, str]:
        threads.append(threading.get_ident())
        return output_limit.fit(value, limit)

    monkeypatch.setattr(bound_result, "fit", fit)
    bound = BoundResult(MemoryArtifactStore(), output_limit_bytes=1_024)
    assert (await bound("echo", call_context(), Said({"a": [1] * 3_000}, ""))).truncated
    assert threads != [threading.get_ident()]


async def test_large_arguments_are_held_to_the_schema_all_the_same() -> None:
    with pytest.raises(ToolFailure, match=r"tags\[0\]: must be.*text: is too long"):
        await CheckedTool(ScriptedTool()).run({"text": "x" * 300_000, "tags": [1]}, call_context())
