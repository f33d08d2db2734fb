"""Reads the content of messages: text, or a list of parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from provider_router.domain.calls.content import AudioPart, FilePart, ImagePart, Part, RefusalPart, TextPart
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
_PREFIX = "messages.content."
_OF_IMAGE = frozenset({"url", "detail"})
_OF_AUDIO = frozenset({"data", "format"})
_OF_FILE = frozenset({"filename", "file_id", "file_data"})
_LIFETIMES = ("5m", "1h")


def content_in(draft: Draft, value: Any) -> tuple[str, tuple[Part, ...]]:
    """The content of a message as `Message` has it: its text, and its parts where there is more than one text.

    Raises:
        WrongFieldError: It is neither text nor a list of parts.
    """
    if type(value) is str:
        return value, ()
    if type(value) is not list:
        raise WrongFieldError("must be text or a list of parts")
    parts = each_in(list_in(value, most=_MOST_PARTS), lambda part: _part(draft, part))
    text = "".join(part.text for part in parts if isinstance(part, TextPart | RefusalPart))
    is_plain = len(parts) == 1 and isinstance(parts[0], TextPart) and not parts[0].cached
    return text, () if is_plain else tuple(parts)


def _part(draft: Draft, value: Any) -> Part:
    part = object_in(value)
    kind = field_in(part, "type", text_in)
    known = _KINDS.get(kind)
    if known is None:
        raise WrongFieldError(f"must be one of {', '.join(_KINDS)}", ".type")
    read, names = known
    draft.others(part, names, _PREFIX)
    return read(draft, part)


def _text(_draft: Draft, part: Mapping[str, Any]) -> Part:
    return TextPart(field_in(part, "text", text_in), cached_in(part))


def _refusal(_draft: Draft, part: Mapping[str, Any]) -> Part:
    return RefusalPart(field_in(part, "refusal", text_in))


def _image(draft: Draft, part: Mapping[str, Any]) -> Part:
    return field_in(part, "image_url", lambda image: _image_of(draft, object_in(image), cached_in(part)))


def _image_of(draft: Draft, image: Mapping[str, Any], cached: str) -> Part:
    draft.others(image, _OF_IMAGE, f"{_PREFIX}image_url.")
    detail = maybe_in(image, "detail", lambda word: word_in(word, 16), "")
    url = field_in(image, "url", text_in)
    if is_data_url(url):
        media_type, data = field_in(image, "url", data_url_in)
        return ImagePart(data=data, media_type=media_type, detail=detail, cached=cached)
    return ImagePart(url=field_in(image, "url", draft.address), detail=detail, cached=cached)


def _audio(draft: Draft, part: Mapping[str, Any]) -> Part:
    return field_in(part, "input_audio", lambda sound: _audio_of(draft, object_in(sound)))


def _audio_of(draft: Draft, sound: Mapping[str, Any]) -> Part:
    draft.others(sound, _OF_AUDIO, f"{_PREFIX}input_audio.")
    form = field_in(sound, "format", lambda word: one_of(word, ("wav", "mp3")))
    return AudioPart(field_in(sound, "data", bytes_in), form)


def _file(draft: Draft, part: Mapping[str, Any]) -> Part:
    return field_in(part, "file", lambda file: _file_of(draft, object_in(file), cached_in(part)))


def _file_of(draft: Draft, file: Mapping[str, Any], cached: str) -> Part:
    draft.others(file, _OF_FILE, f"{_PREFIX}file.")
    name = maybe_in(file, "filename", lambda word: text_in(word, 512), "")
    file_id = maybe_in(file, "file_id", lambda word: word_in(word, 256), "")
    raw = maybe_in(file, "file_data", bytes_in, "")
    if bool(file_id) == bool(raw):
        raise WrongFieldError("must have file_data or file_id")
    media_type = "application/pdf" if raw and name.lower().endswith(".pdf") else ""
    if is_data_url(raw):
        media_type, raw = field_in(file, "file_data", data_url_in)
    return FilePart(file_id=file_id, data=raw, media_type=media_type, name=name, cached=cached)


def cached_in(owner: Mapping[str, Any]) -> str:
    """The mark of Anthropic's cache on a part or a tool, which gateways of this dialect take too; empty for none.

    Raises:
        WrongFieldError: It is no mark.
    """
    return maybe_in(owner, "cache_control", _lifetime, "")


def _lifetime(mark: Any) -> str:
    return maybe_in(object_in(mark), "ttl", lambda word: one_of(word, _LIFETIMES), _LIFETIMES[0])


_Reader = Callable[[Draft, Mapping[str, Any]], Part]
_KINDS: Mapping[str, tuple[_Reader, frozenset[str]]] = {
    "text": (_text, frozenset({"type", "text", "cache_control"})),
    "image_url": (_image, frozenset({"type", "image_url", "cache_control"})),
    "input_audio": (_audio, frozenset({"type", "input_audio"})),
    "file": (_file, frozenset({"type", "file", "cache_control"})),
    "refusal": (_refusal, frozenset({"type", "refusal"})),
}
"""How to read each kind of part, and the fields that it has."""
