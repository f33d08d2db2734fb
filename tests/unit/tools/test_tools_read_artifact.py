"""The tool `read_artifact`, and results that are cut, over a store in memory."""

from __future__ import annotations

import json

import pytest
from artifact_fakes import SHELVED, MemoryArtifactStore, shelf
from tools_fakes import call_context

from shared.errors import NotFound, QuotaExceeded
from shared.testing.harness import principal
from tool_executor.adapters.tool_read_artifact import ReadArtifactTool
from tool_executor.domain.tool_call import ArtifactHandle, CallOrigin, ToolFailure
from tool_executor.domain.tool_definition import JsonObject
from tool_executor.use_cases.bound_result import BoundResult, Said

LIMIT = 4_096


async def read(data: bytes, name: str = "note.txt", **arguments: object) -> JsonObject:
    tool = ReadArtifactTool(shelf(data, name), output_limit_bytes=LIMIT)
    return (await tool.run({"artifact_id": SHELVED, **arguments}, call_context())).value


@pytest.mark.parametrize("text", ["short", "é" * 10_000, '"\n\\' * 5_000, "🎉x" * 3_000, ""])
@pytest.mark.parametrize("length", [1, 1_001, 32_768])
async def test_reading_on_gives_the_whole_within_the_limit(text: str, length: int) -> None:
    data, offset, parts = text[:300] if length == 1 else text, 0, []
    while offset is not None:
        value = await read(data.encode(), offset=offset, length=length)
        assert len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) <= LIMIT
        parts.append(str(value["text"]))
        offset = value["next_offset"]
    assert "".join(parts) == data


async def test_an_offset_within_a_character_begins_with_the_next() -> None:
    value = await read("éabcdef".encode(), offset=1, length=4)
    assert (value["text"], value["next_offset"]) == ("abc", 5)


async def test_the_summary_says_where_it_is_and_where_to_go_on() -> None:
    tool = ReadArtifactTool(shelf(b"0123456789"), output_limit_bytes=LIMIT)
    first = await tool.run({"artifact_id": SHELVED.upper(), "length": 6}, call_context())
    assert first.summary == "note.txt, bytes 0 to 6 of 10; read on from offset 6:\n012345"
    last = await tool.run({"artifact_id": SHELVED, "offset": 6}, call_context())
    assert last.summary == "note.txt, bytes 6 to 10 of 10, which is its end:\n6789"


async def test_a_search_tells_places_and_where_to_go_on() -> None:
    data = b"".join(b"%04d needle\n" % number for number in range(30))
    value = await read(data, search="Needle")
    matches = value["matches"]
    assert isinstance(matches, list)
    assert (len(matches), value["next_offset"]) == (20, 19 * 12 + 11)
    assert matches[1]["offset"] == 17
    rest = await read(data, search="needle", offset=value["next_offset"])
    assert isinstance(rest["matches"], list)
    assert ([each["offset"] for each in rest["matches"]], rest["next_offset"]) == (
        [n * 12 + 5 for n in range(20, 30)],
        None,
    )
    assert (await read(data, search="hay"))["matches"] == []


@pytest.mark.parametrize(("data", "name"), [(b"\x89PNG\r\n\x1a\n", "plot.png"), (b"\xff\x00", "data.bin")])
async def test_what_is_no_text_says_what_it_is(data: bytes, name: str) -> None:
    with pytest.raises(ToolFailure, match="ARTIFACT_NOT_TEXT") as caught:
        await read(data, name)
    assert name in caught.value.summary
    assert SHELVED in caught.value.summary


async def test_an_offset_behind_the_end_is_told() -> None:
    with pytest.raises(ToolFailure, match="OFFSET_TOO_LARGE"):
        await read(b"abc", offset=4)
    assert (await read(b"abc", offset=3))["text"] == ""


async def test_another_organisations_artifact_is_unknown() -> None:
    tool = ReadArtifactTool(shelf(b"secret"), output_limit_bytes=LIMIT)
    stranger = call_context()
    object.__setattr__(stranger, "principal", principal("org-b"))
    with pytest.raises(NotFound, match="ARTIFACT_UNKNOWN"):
        await tool.run({"artifact_id": SHELVED}, stranger)


async def test_the_whole_of_a_cut_result_is_kept() -> None:
    store, value = MemoryArtifactStore(), {"stdout": "x" * 9_000}
    left = ArtifactHandle("a", "plot.png", "image/png", 5)
    said = Said(value, "It printed much.", (left,))
    call = call_context(origin=CallOrigin(run_id="run-1"))
    bounded = await BoundResult(store, output_limit_bytes=LIMIT)("execute_code", call, said)
    first, whole = bounded.artifacts
    assert (first, whole.name, whole.media_type) == (left, "execute_code-output.json", "application/json")
    assert bounded.truncated
    assert len(bounded.output_json.encode()) <= LIMIT
    assert bounded.summary.startswith("It printed much.\n")
    assert f"artifact {whole.artifact_id}" in bounded.summary
    made, data = store.kept["org-a", whole.artifact_id]
    assert json.loads(data) == value
    assert (made.tool, made.run_id) == ("execute_code", "run-1")


async def test_a_result_that_fits_is_not_kept() -> None:
    store = MemoryArtifactStore()
    bounded = await BoundResult(store, output_limit_bytes=LIMIT)("echo", call_context(), Said({"a": 1}, "s" * 9_000))
    assert (bounded.output_json, bounded.truncated, bounded.artifacts) == ('{"a":1}', True, ())
    assert store.kept == {}


async def test_a_whole_that_cannot_be_kept_is_told_and_fails_nothing() -> None:
    store = MemoryArtifactStore(error=QuotaExceeded("ARTIFACT_QUOTA_EXCEEDED", "It is full."))
    said = Said({"stdout": "x" * 9_000}, "s" * 9_000)
    bounded = await BoundResult(store, output_limit_bytes=LIMIT)("echo", call_context(), said)
    assert (bounded.truncated, bounded.artifacts) == (True, ())
    assert bounded.summary.endswith("could not be kept: It is full. [ARTIFACT_QUOTA_EXCEEDED]")
