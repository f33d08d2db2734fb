"""Canonical JSON: one meaning, one sequence of bytes. What is hashed and compared later is written in it.

The form: UTF-8, object keys in order, no white space, whole numbers only. Reading is strict: a value of another type
is an error, never converted, and who decodes a document encodes it again and compares, so that every deviation from
the form is found.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum, StrEnum
from typing import TypeVar, cast

import orjson

Member = TypeVar("Member", bound=StrEnum)
Choice = TypeVar("Choice", bound=IntEnum)


class NotCanonical(ValueError):
    """Bytes that are no document of the expected form; the message says where, never what stands there."""


def canonical_bytes(value: object) -> bytes:
    """The canonical form of a JSON value. Keys are put in order; numbers must be whole and fit into 64 bits."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest_of(document: bytes) -> str:
    """SHA-256 of `document`, 64 hexadecimal digits."""
    return hashlib.sha256(document).hexdigest()


class Reader:
    """Reads one JSON object strictly, field by field.

    Args:
        value: What was parsed.
        path: Where it stands, for messages; empty for the document itself.

    Raises:
        NotCanonical: When it is no object; so does every method, for a field that is missing or of another type.
    """

    __slots__ = ("_fields", "_path")

    def __init__(self, value: object, path: str = "") -> None:
        self._path = path
        if not isinstance(value, dict):
            raise NotCanonical(f"{path or 'the document'} is no object")
        self._fields = cast("dict[str, object]", value)

    @classmethod
    def parse(cls, document: bytes) -> Reader:
        """Returns a reader of the object that `document` holds."""
        try:
            return cls(orjson.loads(document))
        except orjson.JSONDecodeError as error:
            raise NotCanonical("it is not JSON") from error

    def text(self, key: str) -> str:
        """The text at `key`."""
        return text_of(self._value(key), self._at(key))

    def number(self, key: str) -> int:
        """The whole number at `key`."""
        return number_of(self._value(key), self._at(key))

    def number_or_none(self, key: str) -> int | None:
        """The whole number at `key`, or None where null stands there."""
        value = self._value(key)
        return None if value is None else number_of(value, self._at(key))

    def flag(self, key: str) -> bool:
        """The truth value at `key`."""
        value = self._value(key)
        if not isinstance(value, bool):
            raise NotCanonical(f"{self._at(key)} is no truth value")
        return value

    def flag_or_none(self, key: str) -> bool | None:
        """The truth value at `key`, or None where null stands there."""
        return None if self._value(key) is None else self.flag(key)

    def items(self, key: str) -> list[object]:
        """The list at `key`."""
        return items_of(self._value(key), self._at(key))

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of texts at `key`."""
        return tuple(text_of(each, self._at(key)) for each in self.items(key))

    def texts_or_none(self, key: str) -> tuple[str, ...] | None:
        """The list of texts at `key`, or None where null stands there."""
        return None if self._value(key) is None else self.texts(key)

    def numbers(self, key: str, length: int) -> list[int]:
        """The list of exactly `length` whole numbers at `key`."""
        return [number_of(each, self._at(key)) for each in items_of(self._value(key), self._at(key), length)]

    def member(self, key: str, kind: type[Member]) -> Member:
        """The member of the enumeration `kind` that the text at `key` names."""
        return member_of(self._value(key), kind, self._at(key))

    def choice(self, key: str, kind: type[Choice]) -> Choice:
        """The member of the enumeration `kind` that the whole number at `key` stands for."""
        try:
            return kind(self.number(key))
        except ValueError as error:
            raise NotCanonical(f"{self._at(key)} is of no known kind") from error

    def object(self, key: str) -> Reader:
        """A reader of the object at `key`."""
        return Reader(self._value(key), self._at(key))

    def object_or_none(self, key: str) -> Reader | None:
        """A reader of the object at `key`, or None where null stands there."""
        return None if self._value(key) is None else self.object(key)

    def scalar(self, key: str) -> bool | int | str:
        """The truth value, whole number or text at `key`."""
        value = self._value(key)
        if not isinstance(value, bool | int | str):
            raise NotCanonical(f"{self._at(key)} is no truth value, whole number or text")
        return value

    def keys(self) -> tuple[str, ...]:
        """The keys, in the order of the document."""
        return tuple(self._fields)

    def _value(self, key: str) -> object:
        if key not in self._fields:
            raise NotCanonical(f"{self._at(key)} is missing")
        return self._fields[key]

    def _at(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key


def member_of(value: object, kind: type[Member], path: str) -> Member:
    """Returns the member of `kind` that the text `value` names. Raises NotCanonical."""
    try:
        return kind(text_of(value, path))
    except ValueError as error:
        raise NotCanonical(f"{path} is of no known kind") from error


def text_of(value: object, path: str) -> str:
    """Returns `value` as a text. Raises NotCanonical."""
    if not isinstance(value, str):
        raise NotCanonical(f"{path} is no text")
    return value


def number_of(value: object, path: str) -> int:
    """Returns `value` as a whole number. Raises NotCanonical, for a truth value too."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise NotCanonical(f"{path} is no whole number")
    return value


def items_of(value: object, path: str, length: int | None = None) -> list[object]:
    """Returns `value` as a list, of `length` items where that is given. Raises NotCanonical."""
    if not isinstance(value, list):
        raise NotCanonical(f"{path} is no list")
    items = cast("list[object]", value)
    if length is not None and len(items) != length:
        raise NotCanonical(f"{path} has not {length} items")
    return items
