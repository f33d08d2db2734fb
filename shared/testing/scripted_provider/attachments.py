"""Reads what came besides text out of content parts, of any dialect."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Literal, cast

from shared.testing.scripted_provider.request import Attachment, JsonObject

_Kind = Literal["image", "file", "audio"]


def attachments_of(contents: Iterable[Any]) -> tuple[Attachment, ...]:
    """Return the attachments of messages' contents, those within tool results included, in order.

    Raises KeyError, TypeError, AttributeError or ValueError for a malformed part.
    """
    return tuple(found for content in contents for found in _found(content))


def _found(content: Any) -> Iterator[Attachment]:
    for part in cast("list[JsonObject]", content) if isinstance(content, list) else []:
        match part["type"]:
            case "image_url":
                yield _at(_kind("image"), part["image_url"]["url"])
            case "input_image":
                yield _at(_kind("image"), part.get("image_url") or part["file_id"])
            case "file":
                yield _file(part["file"])
            case "input_file":
                yield _file(part)
            case "input_audio":
                sound = part["input_audio"]
                yield _bytes(_kind("audio"), sound["format"], sound["data"])
            case "image" | "document" as kind:
                yield _source(_kind("image" if kind == "image" else "file"), part)
            case "tool_result":
                yield from _found(part.get("content"))
            case _:
                pass


def _kind(kind: _Kind) -> _Kind:
    return kind


def _at(kind: _Kind, url: str, name: str = "") -> Attachment:
    if not url.startswith("data:"):
        return Attachment(kind, address=url, name=name)
    head, _, data = url.removeprefix("data:").partition(",")
    return _bytes(kind, head.removesuffix(";base64"), data, name)


def _file(part: JsonObject) -> Attachment:
    where = part.get("file_data") or part.get("file_url") or part["file_id"]
    return _at("file", where, part.get("filename") or "")


def _source(kind: _Kind, part: JsonObject) -> Attachment:
    source: JsonObject = part["source"]
    name = part.get("title") or ""
    match source["type"]:
        case "base64":
            return _bytes(kind, source["media_type"], source["data"], name)
        case "text":
            return _bytes(kind, source["media_type"], base64.b64encode(source["data"].encode()).decode(), name)
        case _:
            return Attachment(kind, address=source.get("url") or source["file_id"], name=name)


def _bytes(kind: _Kind, media_type: str, data: str, name: str = "") -> Attachment:
    raw = base64.b64decode(data, validate=True)
    return Attachment(kind, media_type, len(raw), hashlib.sha256(raw).hexdigest()[:8], name=name)
