"""Files that tools and runs left behind."""

from __future__ import annotations

from dataclasses import dataclass

URI_PREFIX = "nexus://artifacts/"
MOST_BYTES = 6 * 1024 * 1024
"""Of an artifact that is read at once: as large as the store takes them."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that is kept, and never changes.

    Attributes:
        artifact_id: Its id.
        name: A file name.
        media_type: For example `image/png`.
        size_bytes: Its size.
    """

    artifact_id: str
    name: str
    media_type: str
    size_bytes: int

    @property
    def uri(self) -> str:
        """What MCP clients call it."""
        return URI_PREFIX + self.artifact_id


@dataclass(frozen=True, slots=True)
class ArtifactPage:
    """Some artifacts, the newest first, and the token of the next page; empty on the last one."""

    artifacts: tuple[Artifact, ...]
    next_token: str


def id_in(uri: str) -> str:
    """Return the id of the artifact that `uri` names; empty where it names none."""
    return uri.removeprefix(URI_PREFIX) if uri.startswith(URI_PREFIX) else ""


def text_of(artifact: Artifact, data: bytes) -> str | None:
    """Return the text that `data` is; None for what is no text in UTF-8, or is not said to be one."""
    kind = artifact.media_type.partition(";")[0]
    if not (kind.startswith("text/") or kind in _TEXTS or kind.endswith(("+json", "+xml"))):
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


_TEXTS = frozenset(("application/json", "application/xml", "application/x-ndjson", "application/yaml"))
