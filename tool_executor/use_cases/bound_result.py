"""Cuts what a tool says to what a model can take, and keeps the whole of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from shared.errors import NexusError
from tool_executor.domain.artifact import NewArtifact, size_words
from tool_executor.domain.output_limit import clip, fit
from tool_executor.domain.tool_call import ArtifactHandle, CallContext
from tool_executor.domain.tool_definition import JsonObject
from tool_executor.ports.artifact_store import ArtifactStore
from tool_executor.use_cases.off_loop import off_loop

_SUMMARY_CHARS = 8_000
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Said:
    """What a tool says of a call: the output, None for none, the same in a few words, and what it left."""

    value: JsonObject | None
    summary: str
    artifacts: tuple[ArtifactHandle, ...] = ()


@dataclass(frozen=True, slots=True)
class Bounded:
    """The same within the limits: `output_json` is empty for none; `truncated` says whether something was cut."""

    output_json: str
    summary: str
    truncated: bool
    artifacts: tuple[ArtifactHandle, ...]


class BoundResult:
    """Cuts output and summary; the whole of an output that was cut becomes an artifact.

    Args:
        store: keeps the whole.
        output_limit_bytes: most bytes of output as JSON.
    """

    def __init__(self, store: ArtifactStore, *, output_limit_bytes: int) -> None:
        self._store = store
        self._output_limit_bytes = output_limit_bytes

    async def __call__(self, tool: str, call: CallContext, said: Said) -> Bounded:
        """Return `said` within the limits. That the whole cannot be kept is told in the summary, and is no error.

        Raises:
            ValueError, TypeError: when the output is not JSON.
        """
        summary, clipped = clip(said.summary, _SUMMARY_CHARS)
        value, limit = said.value, self._output_limit_bytes
        text, uncut = await off_loop(value, lambda: fit(value, limit)) if value is not None else ("", "")
        if not uncut:
            return Bounded(text, summary, clipped, said.artifacts)
        try:
            whole = await self._kept(tool, call, uncut.encode())
        except NexusError as error:
            note = f"The output was cut, and the whole of it could not be kept: {error.message} [{error.reason}]"
            return Bounded(text, f"{summary}\n{note}", truncated=True, artifacts=said.artifacts)
        note = (
            f"The output was cut. The whole of it is artifact {whole.artifact_id} ({whole.name}, "
            f"{size_words(whole.size_bytes)}); read_artifact reads on or searches in it."
        )
        return Bounded(text, f"{summary}\n{note}", truncated=True, artifacts=(*said.artifacts, whole))

    async def _kept(self, tool: str, call: CallContext, data: bytes) -> ArtifactHandle:
        new = NewArtifact(f"{tool}-output.json", "application/json", tool, call.origin.run_id)
        return (await self._store.put(call.principal, new, in_chunks(data))).handle


async def in_chunks(data: bytes) -> AsyncIterator[bytes]:
    """Yield `data` in pieces of at most a mebibyte."""
    for start in range(0, len(data), _CHUNK_BYTES):
        yield data[start : start + _CHUNK_BYTES]
