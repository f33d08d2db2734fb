"""Reads images and documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from provider_router.domain.calls.content import FilePart, ImagePart, Part, TextPart
from provider_router.servicer.http.anthropic_messages.reading import Findings, cached_in
from provider_router.servicer.http.data_url import bytes_in
from provider_router.servicer.http.fields import (
    WrongFieldError,
    each_in,
    field_in,
    flag_in,
    list_in,
    maybe_in,
    object_in,
    text_in,
    word_in,
)

_IMAGE = frozenset({"type", "source", "cache_control"})
_DOCUMENT = frozenset({"type", "source", "cache_control", "title", "context", "citations"})
_TEXT = frozenset({"type", "text", "cache_control", "citations"})
_SOURCES: Mapping[str, frozenset[str]] = {
    "base64": frozenset({"type", "media_type", "data"}),
    "text": frozenset({"type", "media_type", "data"}),
    "url": frozenset({"type", "url"}),
    "file": frozenset({"type", "file_id"}),
    "content": frozenset({"type", "content"}),
}
_OF_SOURCES = frozenset(name for names in _SOURCES.values() for name in names)
_IMAGE_FILE = "image/*"
_MOST_NAME = 1024


def image_in(block: Mapping[str, Any], found: Findings) -> Part:
    """The image of an `image` block."""
    found.rest_of(block, _IMAGE)
    return field_in(block, "source", lambda source: _image(source, cached_in(block), found))


def document_in(block: Mapping[str, Any], found: Findings) -> list[Part]:
    """The parts of a `document` block: a file, or what is written in it."""
    found.rest_of(block, _DOCUMENT)
    if maybe_in(block, "citations", _is_cited, default=False):
        found.add_foreign("citations")
    title = maybe_in(block, "title", text_in, "")
    context = maybe_in(block, "context", text_in, "")
    parts = field_in(block, "source", lambda source: _document(source, title, cached_in(block), found))
    told = "\n".join(said for said in (title, context) if said)
    if isinstance(parts[0], FilePart):
        told = context
    return [TextPart(told), *parts] if told else parts


def marked(parts: list[Part], cached: str) -> list[Part]:
    """`parts`, of which the last has the mark `cached`, unless it has one or can have none."""
    last = parts[-1] if parts else None
    if cached and isinstance(last, TextPart | ImagePart | FilePart) and not last.cached:
        return [*parts[:-1], replace(last, cached=cached)]
    return parts


def _image(value: Any, cached: str, found: Findings) -> Part:
    source = object_in(value)
    match _kind_of(source, found):
        case "base64":
            media_type = field_in(source, "media_type", _image_type)
            return ImagePart(data=field_in(source, "data", bytes_in), media_type=media_type, cached=cached)
        case "url":
            return ImagePart(url=field_in(source, "url", found.address), cached=cached)
        case "file":
            return _file(source, _IMAGE_FILE, "", cached, found)
        case _:
            raise WrongFieldError("must be one of base64, url, file", ".type")


def _document(value: Any, title: str, cached: str, found: Findings) -> list[Part]:
    source = object_in(value)
    match _kind_of(source, found):
        case "base64":
            media_type = field_in(source, "media_type", lambda said: word_in(said, 100))
            data = field_in(source, "data", bytes_in)
            return [FilePart(data=data, media_type=media_type, name=title, cached=cached)]
        case "url":
            return [FilePart(url=field_in(source, "url", found.address), name=title, cached=cached)]
        case "file":
            return [_file(source, "", title, cached, found)]
        case "text":
            return [TextPart(field_in(source, "data", _data), cached)]
        case "content":
            return field_in(source, "content", lambda content: _written(content, cached, found))
        case _:
            raise WrongFieldError("must be one of base64, text, content, url, file", ".type")


def _kind_of(source: Mapping[str, Any], found: Findings) -> str:
    """The type of a source, which has nothing of those of others."""
    kind = field_in(source, "type", text_in)
    known = _SOURCES.get(kind, _OF_SOURCES)
    for name in source:
        if name in _OF_SOURCES and name not in known and source[name] is not None:
            raise WrongFieldError(f"is nothing that a source of type {kind} has", f".{name}")
    found.rest_of(source, known)
    return kind


def _written(content: Any, cached: str, found: Findings) -> list[Part]:
    """What is written in a document of blocks."""
    if type(content) is str:
        return [TextPart(_data(content), cached)]
    parts = each_in(list_in(content, 1), lambda block: _written_block(block, found))
    return marked(parts, cached)


def _written_block(value: Any, found: Findings) -> Part:
    block = object_in(value)
    kind = field_in(block, "type", text_in)
    if kind == "text":
        found.rest_of(block, _TEXT)
        return TextPart(field_in(block, "text", text_in), cached_in(block))
    if kind == "image":
        return image_in(block, found)
    raise WrongFieldError("must be one of text, image", ".type")


def _file(source: Mapping[str, Any], media_type: str, name: str, cached: str, found: Findings) -> FilePart:
    """A file that Anthropic keeps: nobody else has it."""
    found.add_foreign("file_id")
    file_id = field_in(source, "file_id", lambda said: word_in(said, _MOST_NAME))
    return FilePart(file_id=file_id, media_type=media_type, name=name, cached=cached)


def _is_cited(value: Any) -> bool:
    return maybe_in(object_in(value), "enabled", flag_in, default=False)


def _data(value: Any) -> str:
    return word_in(value, 0)


def _image_type(value: Any) -> str:
    if not word_in(value, 100).startswith("image/"):
        raise WrongFieldError("must be the media type of an image")
    return value
