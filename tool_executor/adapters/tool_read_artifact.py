"""The tool `read_artifact`: reads and searches the text of a stored file."""

from __future__ import annotations

from typing import cast

from tool_executor.adapters.tool_definition_yaml import load_definition
from tool_executor.domain.artifact import Artifact, half_character, size_words, text_of
from tool_executor.domain.output_limit import encode
from tool_executor.domain.text_search import TextSearch
from tool_executor.domain.tool_call import CallContext, ToolFailure, ToolOutput, invalid_arguments
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.ports.artifact_store import ArtifactStore

_LENGTH = 16_384
_PIECE_BYTES = 1024 * 1024
_MOST_MATCHES = 20
_NEVER_TEXT = ("image/", "audio/", "video/", "application/pdf", "application/zip", "application/gzip")


class ReadArtifactTool:
    """Reads what others stored, for the caller's organisation.

    Args:
        store: has the artifacts.
        output_limit_bytes: most bytes of output as JSON; a text that does not fit is told in part, with where to go on.
    """

    def __init__(self, store: ArtifactStore, *, output_limit_bytes: int) -> None:
        self._store = store
        self._output_limit_bytes = output_limit_bytes
        self._definition = load_definition("read_artifact")

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Read or search.

        Raises:
            ToolFailure: ARTIFACT_NOT_TEXT, with what it is; OFFSET_TOO_LARGE.
            NotFound: ARTIFACT_UNKNOWN.
        """
        artifact_id = cast("str", arguments["artifact_id"]).lower()
        offset = cast("int", arguments.get("offset", 0))
        artifact = await self._store.get(call.principal, artifact_id)
        if artifact.media_type.startswith(_NEVER_TEXT) and artifact.media_type != "image/svg+xml":
            raise _not_text(artifact)
        if offset > artifact.size_bytes:
            raise invalid_arguments("OFFSET_TOO_LARGE", f"offset: the artifact ends at byte {artifact.size_bytes}.")
        words = cast("str", arguments.get("search", ""))
        if words:
            return await self._searched(call, artifact, words, offset)
        return await self._read(call, artifact, offset, cast("int", arguments.get("length", _LENGTH)))

    async def _read(self, call: CallContext, artifact: Artifact, offset: int, length: int) -> ToolOutput:
        _, data = await self._store.read(call.principal, artifact.artifact_id, offset, max(length, 4))
        text = text_of(data, inside=offset > 0)
        if text is None:
            raise _not_text(artifact)
        begins = offset + half_character(data) if offset else 0
        output = _told(artifact, begins, text)
        while len(encode(output.value).encode()) > self._output_limit_bytes and len(text) > 1:
            text = text[: len(text) // 2]
            output = _told(artifact, begins, text)
        return output

    async def _searched(self, call: CallContext, artifact: Artifact, words: str, offset: int) -> ToolOutput:
        search = TextSearch(words, offset, _MOST_MATCHES)
        at = offset
        while not search.full and at < artifact.size_bytes:
            _, piece = await self._store.read(call.principal, artifact.artifact_id, at, _PIECE_BYTES)
            at += len(piece)
            search.add(piece, last=at >= artifact.size_bytes)
        matches = [{"offset": match.offset, "text": match.text} for match in search.matches]
        goes_on = search.matches[-1].offset + len(words.encode()) if search.full else None
        listed = "\n".join(f"byte {match.offset}: {match.text}" for match in search.matches)
        found = (
            f"{len(matches)} places, and perhaps more from byte {goes_on} on" if search.full else _places(len(matches))
        )
        value = {**_facts(artifact), "matches": matches, "next_offset": goes_on}
        return ToolOutput(value, f"{words!r} in {artifact.name}: {found}.\n{listed}".rstrip())


def _told(artifact: Artifact, offset: int, text: str) -> ToolOutput:
    ends = offset + len(text.encode())
    goes_on = ends if ends < artifact.size_bytes else None
    where = f"{artifact.name}, bytes {offset} to {ends} of {artifact.size_bytes}"
    rest = f"; read on from offset {ends}" if goes_on else ", which is its end"
    value = {**_facts(artifact), "text": text, "next_offset": goes_on}
    return ToolOutput(value, f"{where}{rest}:\n{text}")


def _facts(artifact: Artifact) -> dict[str, object]:
    return {"name": artifact.name, "media_type": artifact.media_type, "size_bytes": artifact.size_bytes}


def _places(count: int) -> str:
    return {0: "nothing found", 1: "1 place"}.get(count, f"{count} places")


def _not_text(artifact: Artifact) -> ToolFailure:
    return ToolFailure(
        "ARTIFACT_NOT_TEXT",
        f"{artifact.name} is {artifact.media_type}, {size_words(artifact.size_bytes)}, and no text. Tell people its "
        f"name and its id, {artifact.artifact_id}.",
        value=_facts(artifact),
    )
