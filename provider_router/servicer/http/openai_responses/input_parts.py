"""Reads the parts of messages and of tools' outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from provider_router.domain.calls.content import AudioPart, FilePart, ImagePart, Part, RefusalPart, TextPart, text_of
from provider_router.servicer.http.data_url import bytes_in, data_url_in, is_data_url
from provider_router.servicer.http.fields import (
    WrongFieldError,
    each_in,
    field_in,
    list_in,
    maybe_in,
    object_in,
    one_of,
    text_in,
    word_in,
)
from provider_router.servicer.http.openai_chat.draft import Draft

_MOST_PARTS = 1000
_MOST_NAME = 512
_SOURCES = ("file_data", "file_url", "file_id")
_OF_AUDIO = frozenset({"data", "format"})
_DEFAULT_DETAIL = "auto"
_PREFIX = "input.content."


def content_in(draft: Draft, value: Any) -> tuple[str, tuple[Part, ...]]:
    """The content of an item as `Message` has it: its text, and its parts where there is more than one text.

    Raises:
        WrongFieldError: It is neither text nor a list of parts.
    """
    if type(value) is str:
        return value, ()
    if type(value) is not list:
        raise WrongFieldError("must be text or a list of parts")
    parts = each_in(list_in(value, most=_MOST_PARTS), lambda part: _part(draft, part))
    is_plain = len(parts) == 1 and isinstance(parts[0], TextPart) and not parts[0].cached
    return text_of(parts), () if is_plain else tuple(parts)


def _part(draft: Draft, value: Any) -> Part:
    part = object_in(value)
    kind = field_in(part, "type", text_in)
    known = _KINDS.get(kind)
    if known is None:
        raise WrongFieldError(f"must be one of {', '.join(_KINDS)}", ".type")
    read, names = known
    draft.others(part, names, _PREFIX)
    return read(draft, part)


def _text(draft: Draft, part: Mapping[str, Any]) -> Part:
    del draft
    return TextPart(field_in(part, "text", text_in), _cached(part))


def _refusal(draft: Draft, part: Mapping[str, Any]) -> Part:
    del draft
    return RefusalPart(field_in(part, "refusal", text_in))


def _image(draft: Draft, part: Mapping[str, Any]) -> Part:
    detail = maybe_in(part, "detail", lambda word: word_in(word, 16), "")
    detail = "" if detail == _DEFAULT_DETAIL else detail
    if part.get("file_id") is not None:
        raise WrongFieldError("is not known here: send image_url, with an address or a data URL", ".file_id")
    url = field_in(part, "image_url", text_in)
    try:
        if is_data_url(url):
            media_type, data = data_url_in(url)
            return ImagePart(data=data, media_type=media_type, detail=detail, cached=_cached(part))
        return ImagePart(url=draft.address(url), detail=detail, cached=_cached(part))
    except WrongFieldError as error:
        raise error.within(".image_url") from error


def _file(draft: Draft, part: Mapping[str, Any]) -> Part:
    draft.others({"detail": part.get("detail")} if part.get("detail") != _DEFAULT_DETAIL else {}, frozenset(), _PREFIX)
    name = maybe_in(part, "filename", lambda word: text_in(word, _MOST_NAME), "")
    cached = _cached(part)
    if sum(part.get(source) is not None for source in _SOURCES) != 1:
        raise WrongFieldError(f"must have one of {', '.join(_SOURCES)}")
    if part.get("file_data") is not None:
        media_type, data = field_in(part, "file_data", lambda raw: _bytes_of(raw, name))
        return FilePart(data=data, media_type=media_type, name=name, cached=cached)
    if part.get("file_url") is not None:
        return FilePart(
            url=field_in(part, "file_url", lambda url: draft.address(text_in(url))), name=name, cached=cached
        )
    return FilePart(file_id=field_in(part, "file_id", lambda word: word_in(word, 256)), name=name, cached=cached)


def _audio(draft: Draft, part: Mapping[str, Any]) -> Part:
    sound = field_in(part, "input_audio", object_in)
    try:
        draft.others(sound, _OF_AUDIO, f"{_PREFIX}input_audio.")
        form = field_in(sound, "format", lambda word: one_of(word, ("wav", "mp3")))
        return AudioPart(field_in(sound, "data", bytes_in), form)
    except WrongFieldError as error:
        raise error.within(".input_audio") from error


def _bytes_of(value: Any, name: str) -> tuple[str, str]:
    raw = bytes_in(value)
    if is_data_url(raw):
        return data_url_in(raw)
    return "application/pdf" if name.lower().endswith(".pdf") else "", raw


def _cached(part: Mapping[str, Any]) -> str:
    """OpenAI keeps a marked prompt for half an hour or twelve: what is nearer of Anthropic's five minutes and hour."""
    if part.get("prompt_cache_breakpoint") is None:
        return ""
    mark = field_in(part, "prompt_cache_breakpoint", object_in)
    return "1h" if mark.get("ttl") == "12h" else "5m"


_Reader = Callable[[Draft, Mapping[str, Any]], Part]
_SPOKEN = frozenset({"type", "text", "annotations", "logprobs", "prompt_cache_breakpoint"})
_KINDS: Mapping[str, tuple[_Reader, frozenset[str]]] = {
    "input_text": (_text, _SPOKEN),
    "output_text": (_text, _SPOKEN),
    "refusal": (_refusal, frozenset({"type", "refusal"})),
    "input_image": (_image, frozenset({"type", "image_url", "file_id", "detail", "prompt_cache_breakpoint"})),
    "input_file": (
        _file,
        frozenset({"type", "file_data", "file_url", "file_id", "filename", "detail", "prompt_cache_breakpoint"}),
    ),
    "input_audio": (_audio, frozenset({"type", "input_audio"})),
}
"""How to read each kind of part, and the fields that it has."""
