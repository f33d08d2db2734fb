"""A wrong definition is told precisely."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

import pytest

from shared.errors import PreconditionFailed
from tool_executor.adapters import tool_definition_yaml
from tool_executor.adapters.tool_definition_yaml import load_definition
from tool_executor.domain.tool_definition import SideEffect


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a definition, to be edited."""
    with resources.as_file(tool_definition_yaml.DEFINITIONS / "get_current_time.yaml") as shipped:
        shutil.copy(shipped, tmp_path)
    monkeypatch.setattr(tool_definition_yaml, "DEFINITIONS", tmp_path)
    return tmp_path / "get_current_time.yaml"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("name: [", "line 40: "),
        ("timeout_s: 0", "timeout_s: Input should be greater than 0."),
        ("surprise: 1", "surprise: Extra inputs are not permitted."),
        ("calls_per_day: -1", "calls_per_day: Input should be greater than or equal to 0."),
        ("permissions: [everything]", "permissions.0: String should match pattern"),
        ("name: other", "name: is 'other', and the file's name says 'get_current_time'."),
    ],
)
def test_a_wrong_line_is_named(file: Path, line: str, told: str) -> None:
    key = line.partition(":")[0]
    kept = [each for each in file.read_text().splitlines() if not each.startswith(f"{key}:")]
    file.write_text("\n".join([*kept, line]))
    with pytest.raises(PreconditionFailed) as caught:
        load_definition("get_current_time")
    assert caught.value.reason == "TOOL_DEFINITION_INVALID"
    assert caught.value.message.startswith("definitions/get_current_time.yaml cannot be used: ")
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"- a", "valid dictionary"),
        (b"\xff\xfe\x00", "no text in YAML"),
        (None, "No such file"),
        (b"", "valid dictionary"),
    ],
)
def test_a_file_that_is_no_definition_is_told(file: Path, content: bytes | None, told: str) -> None:
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    with pytest.raises(PreconditionFailed, match=told) as caught:
        load_definition("get_current_time")
    assert str(file.parent) not in caught.value.message


def test_what_is_written_is_read_anew(file: Path) -> None:
    assert load_definition("get_current_time").calls_per_day == 0
    file.write_text(f"{file.read_text()}\ncalls_per_day: 5\ncalls_per_minute: 2\nsupports_dry_run: true\n")
    read = load_definition("get_current_time")
    assert (read.calls_per_day, read.calls_per_minute, read.supports_dry_run) == (5, 2, True)


@pytest.mark.parametrize("name", ["execute_code", "shell", "write_file", "load_file", "save_file"])
def test_what_changes_a_workspace_or_leaves_files_is_not_called_reading(name: str) -> None:
    assert load_definition(name).side_effect is SideEffect.WRITE
