"""What a tool that ran a program gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tool_executor.domain.code_result import CodeResults
from tool_executor.domain.code_run import CodeRun, failure_reason, told
from tool_executor.domain.tool_call import ArtifactHandle, ToolFailure, ToolOutput

_RESTARTED = "The session had ended and was started anew: variables and files of earlier calls are gone."
_ENDED = "The session ended with it: variables and files are gone, and the next call starts anew."
_CUT = "It printed more than is told; write what is long to a file."
_NOTHING = "It ran and printed nothing. Print what you want to see."


@dataclass(frozen=True, slots=True)
class CodeOutcome:
    """A program that was run, with what was kept of it.

    Args:
        run: how it ended.
        results: what it showed.
        artifacts: pictures, tables and files that were kept.
        notes: what to know of those that were not.
        restarted: whether the conversation's session had ended before.
    """

    run: CodeRun
    results: CodeResults
    artifacts: tuple[ArtifactHandle, ...] = ()
    notes: tuple[str, ...] = ()
    restarted: bool = False


def output_of(outcome: CodeOutcome) -> ToolOutput:
    """Return the output of a program that ended well.

    Raises:
        ToolFailure: CODE_FAILED, CODE_TIMEOUT, CODE_OUT_OF_MEMORY, CODE_OUTPUT_LIMIT, CODE_KILLED or CODE_REFUSED when
            it did not, with what it printed, showed and left.
    """
    run, value, summary = outcome.run, _value(outcome), _summary(outcome)
    reason = failure_reason(run.status)
    if reason is not None:
        raise ToolFailure(reason, summary, value=value, artifacts=outcome.artifacts)
    return ToolOutput(value, summary, outcome.artifacts)


def names_of(artifacts: Sequence[ArtifactHandle]) -> str:
    """Return the names in one sentence; empty for none."""
    return f"It left {', '.join(each.name for each in artifacts)}." if artifacts else ""


def _value(outcome: CodeOutcome) -> dict[str, object]:
    run = outcome.run
    value: dict[str, object] = {
        "stdout": run.stdout,
        "stderr": run.stderr,
        "status": run.status.value,
        "exit_code": run.exit_code,
        "wall_time_s": round(run.wall_time_s, 3),
    }
    if outcome.results.values:
        value["results"] = list(outcome.results.values)
    if outcome.restarted:
        value["session_restarted"] = True
    if run.session_ended:
        value["session_ended"] = True
    if notes := _notes(outcome):
        value["notes"] = notes
    return value


def _notes(outcome: CodeOutcome) -> list[str]:
    more = outcome.results.left_out
    shown = [f"{more} more values were shown and are left out."] if more else []
    return [*([_CUT] if outcome.run.output_cut else []), *shown, *outcome.notes]


def _summary(outcome: CodeOutcome) -> str:
    said = told(outcome.run, outcome.results.text)
    left = names_of(outcome.artifacts)
    parts = [
        _RESTARTED if outcome.restarted else "",
        said or ("" if left else _NOTHING),
        left,
        *_notes(outcome),
        _ENDED if outcome.run.session_ended else "",
    ]
    return "\n".join(part for part in parts if part)
