"""Shows the events of a run: as text for people, as JSON lines for programs."""

from __future__ import annotations

import sys
from typing import Protocol

from rich.text import Text

from mesh.cli.follow_run import kind_of
from mesh.cli.money_and_time import age, cost_in_all, dollars
from mesh.cli.output import Output
from mesh.cli.printable import one_line, printable
from protos.gen.nexus.agent.v1 import agent_pb2
from protos.gen.nexus.router.v1 import router_pb2
from protos.gen.nexus.tools.v1 import tools_pb2
from tool_executor.domain.artifact import size_words

_ARGUMENTS_WIDTH = 100
_SUMMARY_WIDTH = 160
_NAME_WIDTH = 80
_PPM = 1_000_000
_PER_CENT_PPM = 10_000
# What an answer says itself in its last line: told once is enough.
_IN_THE_ANSWER = frozenset({"OFFLINE_MODEL"})


class RunView(Protocol):
    """Shows events."""

    def show(self, event: agent_pb2.RunEvent) -> None:
        """Show one event."""
        ...


class JsonLines:
    """Prints each event as one line of JSON."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def show(self, event: agent_pb2.RunEvent) -> None:
        """Print one event."""
        self._output.message(event)


class Transcript:
    """The answer on standard output, as it comes on a terminal and whole elsewhere; all else on standard error."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._live = output.out.is_terminal
        self._streamed = ""
        self._inside_line = False
        self._usage = agent_pb2.RunUsage()
        self._model = ""
        self._hits: list[router_pb2.CacheHit] = []

    def show(self, event: agent_pb2.RunEvent) -> None:
        """Show one event; kinds that people need not see are left out."""
        match kind_of(event):
            case "token_delta":
                self._append(event.token_delta.text)
            case "answer_reset":
                self._end_line()
                self._streamed = ""
                self._output.note(f"The answer starts again: {event.answer_reset.reason}", "yellow")
            case "tool_call_started":
                self._tool_started(event.tool_call_started)
            case "tool_call_finished":
                self._tool_finished(event.tool_call_finished)
            case "usage_reported":
                self._add(event.usage_reported)
            case "warning":
                self._warn(event.warning)
            case "run_finished":
                self._finish(event.run_finished.answer)
                self._footer(event.run_id)
            case "run_failed":
                self._keep_part()
                failure = event.run_failed.failure
                self._output.note(f"The run failed: {failure.message}  [{failure.reason}, run {event.run_id}]", "red")
            case "run_cancelled":
                self._keep_part()
                self._output.note(f"Cancelled.  [run {event.run_id}]", "yellow")
            case _:
                pass

    def _append(self, text: str) -> None:
        self._streamed += text
        if self._live and text:
            sys.stdout.write(printable(text))
            sys.stdout.flush()
            self._inside_line = not text.endswith("\n")

    def _warn(self, warning: agent_pb2.Warning) -> None:
        if warning.code not in _IN_THE_ANSWER:
            self._end_line()
            self._output.note(f"! {warning.message}", "yellow")

    def _finish(self, answer: str) -> None:
        if self._live and self._streamed.strip() == answer.strip():
            self._end_line()
            return
        self._end_line()
        self._output.line(answer)

    def _keep_part(self) -> None:
        """Leave the part of the answer that there is, for a run that ended early."""
        self._end_line()
        if self._streamed and not self._live:
            self._output.line(self._streamed)

    def _end_line(self) -> None:
        """Begin a new line on the terminal when what was streamed last did not end one."""
        if self._inside_line:
            sys.stdout.write("\n")
            sys.stdout.flush()
            self._inside_line = False

    def _tool_started(self, call: agent_pb2.ToolCallStarted) -> None:
        self._end_line()
        arguments = one_line(call.arguments_json, _ARGUMENTS_WIDTH)
        card = Text.assemble(("\u25b8 ", "cyan"), (printable(call.tool), "bold"), (f" {arguments}", "dim"))
        self._output.aside(card)

    def _tool_finished(self, call: agent_pb2.ToolCallFinished) -> None:
        mark, style = ("\u2713", "green") if call.ok else ("\u2717", "red")
        duration_ms = call.duration.ToMicroseconds() / 1000
        summary = one_line(call.summary, _SUMMARY_WIDTH)
        tool, took = (printable(call.tool), "bold"), (f"  {duration_ms:.0f} ms", "dim")
        card = Text.assemble((f"  {mark} ", style), tool, f" {summary}", took)
        self._output.aside(card)
        for artifact in call.artifacts:
            self._output.note(f"    {artifact_line(artifact)}")

    def _add(self, usage: agent_pb2.UsageReported) -> None:
        self._model = usage.model
        self._usage.input_tokens += usage.input_tokens
        self._usage.output_tokens += usage.output_tokens
        self._usage.cost_micro_usd += usage.cost_micro_usd
        self._usage.cost_unknown += usage.cost_unknown
        self._usage.model_calls += 1
        if usage.HasField("cache_hit"):
            self._hits.append(usage.cache_hit)

    def _footer(self, run_id: str) -> None:
        parts = [f"run {run_id}"]
        if self._usage.model_calls:
            usage = self._usage
            tokens = f"{usage.input_tokens} + {usage.output_tokens} tokens"
            parts = [self._model, tokens, cost(usage), _cached(self._hits, usage.model_calls), *parts]
        self._output.note(" \u00b7 ".join(part for part in parts if part))


def artifact_line(artifact: tools_pb2.ArtifactHandle) -> str:
    """Return what a call left, for people: `artifact plot.png image/png 12 kB <id>`."""
    name, size = one_line(artifact.name, _NAME_WIDTH), size_words(artifact.size_bytes)
    return f"artifact {name} {artifact.media_type} {size} {artifact.artifact_id}"


def cost(usage: agent_pb2.RunUsage) -> str:
    """Return what a run cost, for people: `$0.02`, `cost unknown`, `$0.02 + 1 unknown`; empty when it was free."""
    if not usage.cost_unknown:
        return dollars(usage.cost_micro_usd) if usage.cost_micro_usd else ""
    known = usage.model_calls - usage.cost_unknown
    if not known and not usage.cost_micro_usd:
        return "cost unknown"
    return cost_in_all(usage.cost_micro_usd, max(known, 1), usage.cost_unknown)


def _cached(hits: list[router_pb2.CacheHit], calls: int) -> str:
    """Return how much came from the cache: `from the cache, 12 s old`; of several answers the age of the oldest."""
    if not hits:
        return ""
    share = "" if len(hits) == calls else f"{len(hits)} of {calls} answers "
    oldest = max(hit.age.ToTimedelta() for hit in hits)
    least_ppm = min(hit.similarity_ppm for hit in hits)
    similar = "" if least_ppm == _PPM else f", {least_ppm // _PER_CENT_PPM} % similar"
    return f"{share}from the cache, {age(oldest)} old{similar}"


def view_for(output: Output) -> RunView:
    """Return the view that fits how results are printed."""
    return JsonLines(output) if output.as_json else Transcript(output)
