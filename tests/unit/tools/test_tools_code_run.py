"""How a program's end is told."""

from __future__ import annotations

import pytest

from tool_executor.domain.code_run import CodeRun, CodeStatus, failure_reason, told, without_fence


def run(status: CodeStatus, stdout: str = "", stderr: str = "", exit_code: int = 0) -> CodeRun:
    return CodeRun(status, exit_code, stdout, stderr, 1.25)


def test_what_was_printed_is_shown() -> None:
    assert told(run(CodeStatus.OK, "403\n")) == "It printed:\n403"
    assert told(run(CodeStatus.OK, "1\n"), "[2, 3]") == "It printed:\n1\nIts value:\n[2, 3]"
    assert told(run(CodeStatus.OK)) == ""
    assert told(run(CodeStatus.OK, "x" * 5_000)).endswith("… (more in the output)")


def test_a_failure_shows_the_end_of_the_traceback() -> None:
    text = told(run(CodeStatus.ERROR, stderr="a" * 5_000 + "\nNameError: name 'y' is not defined\n", exit_code=1))
    assert text.startswith("The program failed with exit code 1.")
    assert text.endswith("NameError: name 'y' is not defined")
    assert len(text) < 2_200
    both = told(run(CodeStatus.ERROR, "half\n", "sh: no", exit_code=2))
    assert both.splitlines()[1:] == ["The end of what it printed:", "half", "The end of its error output:", "sh: no"]


@pytest.mark.parametrize("status", [status for status in CodeStatus if status is not CodeStatus.OK])
def test_every_bad_end_has_a_reason_and_words(status: CodeStatus) -> None:
    assert (failure_reason(status) or "").startswith("CODE_")
    assert told(run(status)).startswith("The program ")


def test_success_has_no_reason() -> None:
    assert failure_reason(CodeStatus.OK) is None


@pytest.mark.parametrize(
    ("code", "bare"),
    [
        ("print(1)", "print(1)"),
        ("```python\nprint(1)\n```", "print(1)"),
        ("\n```\nprint(1)\nprint(2)\n```\n", "print(1)\nprint(2)"),
        ("    print(1)", "    print(1)"),
        ("s = '''\n```\n'''", "s = '''\n```\n'''"),
        ("```", "```"),
    ],
)
def test_a_markdown_fence_is_taken_off(code: str, bare: str) -> None:
    assert without_fence(code) == bare
