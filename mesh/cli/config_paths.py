"""Paths into the configuration, such as `agent.max_steps`, read from the contract itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from mesh.cli.output import as_dict
from mesh.cli.wording import enum_word
from shared.errors import InvalidInput

# The service decides these; nobody sets them.
_NOT_SETTABLE = frozenset({"etag", "update_time"})
_INTEGERS = frozenset(
    {
        FieldDescriptor.TYPE_UINT32,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_INT32,
        FieldDescriptor.TYPE_INT64,
    }
)
_UNSIGNED = frozenset({FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_UINT64})
_WIDE = frozenset({FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_INT64})
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def settable_paths(config: Message) -> dict[str, FieldDescriptor]:
    """Return the fields of `config` that can be set, by path, in the order of the contract."""
    return dict(_leaves(cast("Descriptor", config.DESCRIPTOR), ""))


def assign(config: Message, path: str, text: str) -> None:
    """Set the field at `path` to what `text` says.

    A list is given as JSON, or as words separated by commas; the empty text empties it.

    Raises:
        InvalidInput: reason PATH_UNKNOWN, listing the paths there are, or VALUE_INVALID, saying what fits.
    """
    paths = settable_paths(config)
    field = paths.get(path)
    if field is None:
        raise _unknown(path, list(paths))
    value = _items(field, path, text) if field.is_repeated else _value(field, path, text)
    parent = config
    for name in path.split(".")[:-1]:
        parent = cast("Message", getattr(parent, name))
    if field.is_repeated:
        parent.ClearField(field.name)
        getattr(parent, field.name).extend(value)
    else:
        setattr(parent, field.name, value)


def look_up(config: Message, path: str) -> Any:
    """Return the value or the group of values at `path` as JSON; None for a value that is not set.

    Raises:
        InvalidInput: reason PATH_UNKNOWN.
    """
    found: Any = config
    for name in path.split("."):
        field = found.DESCRIPTOR.fields_by_name.get(name) if isinstance(found, Message) else None
        if field is None:
            raise _unknown(path, list(settable_paths(config)))
        unset = field.has_presence and field.message_type is None and not cast("Message", found).HasField(name)
        found = None if unset else getattr(found, name)
        if field.is_repeated:
            return [as_dict(each) if isinstance(each, Message) else each for each in found]
        if field.enum_type is not None and found is not None:
            return enum_word(cast("EnumDescriptor", field.enum_type), found)
    return as_dict(found) if isinstance(found, Message) else found


def _leaves(descriptor: Descriptor, prefix: str) -> Iterator[tuple[str, FieldDescriptor]]:
    for field in descriptor.fields:
        if field.name in _NOT_SETTABLE:
            continue
        if field.message_type is not None and not field.is_repeated:
            yield from _leaves(field.message_type, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, field


def _value(field: FieldDescriptor, path: str, text: str) -> object:
    if field.type in _INTEGERS:
        return _integer(field, path, text)
    if field.enum_type is not None:
        return _enum(field.enum_type, path, text)
    if field.type == FieldDescriptor.TYPE_BOOL:
        word = _WORDS.get(text.strip().lower())
        if word is None:
            raise _invalid(path, text, "true or false")
        return word
    return text


def _integer(field: FieldDescriptor, path: str, text: str) -> int:
    bits = 64 if field.type in _WIDE else 32
    least, most = (0, 2**bits - 1) if field.type in _UNSIGNED else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    fits = f"a whole number from {least} to {most}"
    try:
        number = int(text.strip())
    except ValueError as error:
        raise _invalid(path, text, fits) from error
    if not least <= number <= most:
        raise _invalid(path, text, fits)
    return number


def _enum(descriptor: EnumDescriptor, path: str, text: str) -> int:
    words = {enum_word(descriptor, value.number): value.number for value in descriptor.values if value.number}
    number = words.get(text.strip().lower().replace("_", " "))
    if number is None:
        raise _invalid(path, text, f"one of {', '.join(words)}")
    return number


def _items(field: FieldDescriptor, path: str, text: str) -> list[Any]:
    if field.message_type is None:
        return _value_list(path, text)
    try:
        items = cast("list[dict[str, Any]]", json.loads(text))
        return [ParseDict(item, GetMessageClass(field.message_type)()) for item in items]
    except (ValueError, TypeError, AttributeError, ParseError) as error:
        raise _invalid(path, text, "a JSON list of objects") from error


def _value_list(path: str, text: str) -> list[str]:
    if not text.lstrip().startswith("["):
        return [word.strip() for word in text.split(",") if word.strip()]
    try:
        items: object = json.loads(text)
    except ValueError as error:
        raise _invalid(path, text, "a JSON list of texts, or words separated by commas") from error
    words = cast("list[object]", items)
    if not all(isinstance(word, str) for word in words):
        raise _invalid(path, text, "a JSON list of texts, or words separated by commas")
    return [str(word) for word in words]


def _unknown(path: str, known: list[str]) -> InvalidInput:
    return InvalidInput("PATH_UNKNOWN", f"There is no setting {path!r}. There are: {', '.join(known)}.")


def _invalid(path: str, text: str, fits: str) -> InvalidInput:
    return InvalidInput("VALUE_INVALID", f"{path} cannot be {text!r}: it takes {fits}.")
