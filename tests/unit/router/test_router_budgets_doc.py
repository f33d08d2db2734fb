"""The examples of docs/budgets.md are files that the router takes, and commands that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mesh.cli.app import app
from provider_router.adapters.yaml_file.limits_reader import read_limits
from provider_router.adapters.yaml_file.source_file import SourceFile

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "budgets.md").read_text()
FILES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [line for line in TEXT.splitlines() if line.startswith("nexus ")]


@pytest.mark.parametrize("text", FILES)
def test_files_are_read(text: str) -> None:
    limits = read_limits({"limits.yaml": SourceFile("limits.yaml", text.encode())})
    assert len(limits.budgets) + len(limits.rates) >= 4


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_exist_with_their_options(line: str) -> None:
    _, *arguments = shlex.split(line, comments=True)
    result = CliRunner().invoke(app, [*arguments, "--data", "/nowhere", "--json"])
    # There is no mesh there; a wrong option would be 2.
    assert result.exit_code == 3


def test_there_are_examples() -> None:
    assert (len(FILES), len(COMMANDS)) == (2, 5)
