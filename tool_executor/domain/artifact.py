"""Artifacts: files that runs and tools leave, and the rules about their names and types."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from tool_executor.domain.tool_call import ArtifactHandle

OCTET_STREAM = "application/octet-stream"
MAX_NAME_BYTES = 255
LEAST_CHARGE_BYTES = 4096
"""What an artifact counts for in the quota at least, so that empty files are not without number."""
_NAMELESS = "artifact"
_MAX_SUFFIX_CHARS = 16
_TEXT_HEAD_BYTES = 512
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}")
_BY_SUFFIX = {
    "bmp": "image/bmp", "csv": "text/csv", "gif": "image/gif", "gz": "application/gzip", "htm": "text/html",
    "html": "text/html", "ico": "image/x-icon", "jpeg": "image/jpeg", "jpg": "image/jpeg", "js": "text/javascript",
    "json": "application/json", "jsonl": "application/jsonl", "log": "text/plain", "md": "text/markdown",
    "mp3": "audio/mpeg", "mp4": "video/mp4", "parquet": "application/vnd.apache.parquet", "pdf": "application/pdf",
    "png": "image/png", "py": "text/x-python", "sh": "text/x-shellscript", "svg": "image/svg+xml",
    "tar": "application/x-tar", "tif": "image/tiff", "tiff": "image/tiff", "toml": "application/toml",
    "tsv": "text/tab-separated-values", "txt": "text/plain", "wav": "audio/wav", "webp": "image/webp",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xml": "application/xml",
    "yaml": "application/yaml", "yml": "application/yaml", "zip": "application/zip",
}  # fmt: skip
# How files begin: https://www.iana.org/assignments/media-types, https://mimesniff.spec.whatwg.org/#image-type-pattern.
_BEGINNINGS = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "image/tiff": re.compile(rb"II\*\x00|MM\x00\*"),
    "image/x-icon": re.compile(rb"\x00\x00\x01\x00"),
    "image/bmp": re.compile(rb"BM....\x00\x00\x00\x00", re.DOTALL),
    "image/svg+xml": re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml|<!--|<!DOCTYPE svg|<svg)[^\x00]*\Z"),
    "application/pdf": re.compile(rb"%PDF-"),
    "application/zip": re.compile(rb"PK\x03\x04"),
    "application/gzip": re.compile(rb"\x1f\x8b"),
}
_WORTHLESS = frozenset({"", OCTET_STREAM})


@dataclass(frozen=True, slots=True)
class Artifact:
    """A stored file; it never changes.

    Args:
        artifact_id: UUIDv7.
        name: a file name without folders.
        media_type: for example `image/png`.
        size_bytes: its size.
        sha256: of its bytes, 64 hexadecimal digits.
        tool: what made it; empty for an upload.
        run_id: the run that it belongs to; empty for none.
        user_id: who made it.
        created_at: when, aware.
    """

    artifact_id: str
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    tool: str
    run_id: str
    user_id: str
    created_at: datetime

    @property
    def handle(self) -> ArtifactHandle:
        """What names it in a result."""
        return ArtifactHandle(self.artifact_id, self.name, self.media_type, self.size_bytes)


@dataclass(frozen=True, slots=True)
class NewArtifact:
    """What is said of a file that is to be kept.

    Args:
        name: what it should be called; anybody may have written it.
        media_type: what it is said to be; empty to tell it from the name and the bytes.
        tool: what made it; empty for an upload.
        run_id: the run that it belongs to; empty for none.
        request_id: idempotency key of the organisation; empty for none.
    """

    name: str
    media_type: str = ""
    tool: str = ""
    run_id: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class ArtifactPage:
    """Artifacts, the newest first, and the id before which the next page begins; None on the last page."""

    artifacts: tuple[Artifact, ...]
    next_before: str | None


@dataclass(frozen=True, slots=True)
class OpenArtifact:
    """An artifact and its bytes, in pieces of at most a mebibyte."""

    artifact: Artifact
    pieces: AsyncIterator[bytes]


def clean_name(name: str) -> str:
    """Return `name` as a file name of at most `MAX_NAME_BYTES` bytes: its last part, without what is not seen.

    Control and format characters (they can turn a name around), leading dots and blanks at the ends are left out; a
    name that is too long loses its middle and keeps its suffix. Nothing left is `artifact`.
    """
    last = re.split(r"[/\\]", name)[-1]
    seen = "".join(char for char in last if unicodedata.category(char)[0] != "C")
    clean = " ".join(unicodedata.normalize("NFC", seen).split()).lstrip(". ") or _NAMELESS
    if len(clean.encode()) <= MAX_NAME_BYTES:
        return clean
    stem, dot, suffix = clean.rpartition(".")
    if not dot or len(suffix) > _MAX_SUFFIX_CHARS:
        stem, dot, suffix = clean, "", ""
    kept = stem.encode()[: MAX_NAME_BYTES - len((dot + suffix).encode())].decode(errors="ignore")
    return f"{kept}{dot}{suffix}".rstrip()


def media_type_of(name: str, claimed: str, head: bytes) -> str:
    """Return the media type of a file from what is claimed, its name and its first bytes.

    A claim that nothing contradicts holds. What is said to be an image and does not begin like one is
    `application/octet-stream`: a browser would be told to show it.
    """
    said = claimed.partition(";")[0].strip().lower()
    if said in _WORTHLESS or not _MEDIA_TYPE.fullmatch(said):
        said = _BY_SUFFIX.get(name.rpartition(".")[2].lower(), "") if "." in name else ""
    if not said:
        return _told_by(head)
    if said.startswith("image/"):
        beginning = _BEGINNINGS.get(said)
        return said if beginning is not None and beginning.match(head[:_TEXT_HEAD_BYTES]) else OCTET_STREAM
    return said


def half_character(data: bytes) -> int:
    """Return how many bytes at the start of a piece belong to a character that began before it, 3 at most."""
    return next((at for at, byte in enumerate(data[:3]) if byte & 0xC0 != 0x80), len(data[:3]))


def text_of(data: bytes, *, inside: bool) -> str | None:
    """Return a piece of a file as text, or None when it is none; half a character at either end is left out.

    Args:
        data: the piece.
        inside: whether it begins inside the file, maybe inside a character.
    """
    start = half_character(data) if inside else 0
    try:
        text = data[start:].decode()
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data" or error.end != len(data) - start:
            return None
        text = data[start : start + error.start].decode()
    return None if "\x00" in text else text


def size_words(size_bytes: int) -> str:
    """Return a size for people: `812 B`, `12 kB`, `3.4 MB`."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    if size_bytes < 1_000_000:
        return f"{size_bytes / 1000:.3g} kB" if size_bytes < 999_500 else "1 MB"
    return f"{size_bytes / 1e6:.3g} MB"


def charge_of(size_bytes: int) -> int:
    """Return what an artifact of this size counts for in its organisation's quota."""
    return max(size_bytes, LEAST_CHARGE_BYTES)


def _told_by(head: bytes) -> str:
    for media_type, beginning in _BEGINNINGS.items():
        if media_type != "image/svg+xml" and beginning.match(head):
            return media_type
    return "text/plain" if text_of(head[:_TEXT_HEAD_BYTES], inside=False) is not None else OCTET_STREAM
