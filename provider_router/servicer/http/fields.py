"""Checks of a body's fields that every surface makes: types, ranges, lengths.

A check raises `WrongFieldError`; who reads a field around it says where that is. So a right body costs no paths.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from shared.errors import FieldViolation, InvalidInput

LISTED_VIOLATIONS = 8
"""As many are told; who wrote more wrong fields learns of the others when these are right."""
_MOST_PATH = 256
# What parsed JSON has is of these very types, which are asked for in the way that costs least.
_OBJECT, _LIST = (dict,), (list,)
_Read = TypeVar("_Read")


class WrongFieldError(ValueError):
    """A field of a body is wrong.

    Attributes:
        path: From the value that was read to the one that is wrong: empty, `.name` or `[0].text`.
        description: What is wrong, as in "messages[0].role must be text".
    """

    def __init__(self, description: str, path: str = "") -> None:
        super().__init__(description)
        self.path = path
        self.description = description

    def within(self, step: str) -> WrongFieldError:
        """The same error, seen from one step further out."""
        return WrongFieldError(self.description, step + self.path)


def steps_in(value: Any) -> Iterable[tuple[int | str, Any]]:
    """What stands in `value`, with its index or name; nothing where `value` is neither a list nor an object."""
    if type(value) in _LIST:
        return enumerate(cast("list[Any]", value))
    return value.items() if type(value) in _OBJECT else ()


def step_to(key: int | str) -> str:
    """The step of a path to what has this index or name."""
    return f"[{key}]" if isinstance(key, int) else f".{key}"


def invalid(violations: Sequence[FieldViolation]) -> InvalidInput:
    """The error of a request with `violations`, REQUEST_INVALID."""
    listed = [FieldViolation(each.field[:_MOST_PATH], each.description) for each in violations[:LISTED_VIOLATIONS]]
    text = "; ".join(f"{each.field} {each.description}".strip() for each in listed)
    return InvalidInput("REQUEST_INVALID", f"The request is not valid: {text}.", violations=listed)


def text_in(value: Any, most: int = 0) -> str:
    """`value` as text of at most `most` characters; 0 for any length."""
    if type(value) is not str:
        raise WrongFieldError("must be text")
    if most and len(value) > most:
        raise WrongFieldError(f"must have at most {most} characters")
    return value


def word_in(value: Any, most: int) -> str:
    """`value` as text of 1 to `most` characters."""
    if not text_in(value, most):
        raise WrongFieldError("must not be empty")
    return value


def flag_in(value: Any) -> bool:
    """`value` as true or false."""
    if type(value) is not bool:
        raise WrongFieldError("must be true or false")
    return value


def number_in(value: Any, least: float, most: float) -> float:
    """`value` as a number from `least` to `most`."""
    if type(value) is not float and type(value) is not int:
        raise WrongFieldError("must be a number")
    if not least <= value <= most:
        raise WrongFieldError(f"must be from {least:g} to {most:g}")
    return value


def count_in(value: Any, least: int, most: int) -> int:
    """`value` as a whole number from `least` to `most`."""
    if type(value) is not int:
        raise WrongFieldError("must be a whole number")
    if not least <= value <= most:
        raise WrongFieldError(f"must be from {least} to {most}")
    return value


def one_of(value: Any, words: Collection[str]) -> str:
    """`value` as one of `words`."""
    if type(value) is not str or value not in words:
        raise WrongFieldError(f"must be one of {', '.join(words)}")
    return value


def object_in(value: Any) -> Mapping[str, Any]:
    """`value` as an object."""
    if type(value) not in _OBJECT:
        raise WrongFieldError("must be an object")
    return value


def list_in(value: Any, least: int = 0, most: int = 0) -> Sequence[Any]:
    """`value` as a list of at least `least` and at most `most` items; 0 for any number."""
    if type(value) not in _LIST:
        raise WrongFieldError("must be a list")
    size = len(value)
    if size < least:
        raise WrongFieldError(f"must have at least {least} item{'s' if least > 1 else ''}")
    if most and size > most:
        raise WrongFieldError(f"must have at most {most} items")
    return value


def each_in(values: Sequence[Any], read: Callable[[Any], _Read]) -> list[_Read]:
    """What `read` makes of each of `values`."""
    found: list[_Read] = []
    try:
        for value in values:
            found.append(read(value))  # noqa: PERF401 - the length says which one was wrong
    except WrongFieldError as error:
        raise error.within(f"[{len(found)}]") from error
    return found


def field_in(owner: Mapping[str, Any], name: str, read: Callable[[Any], _Read]) -> _Read:
    """What `read` makes of the field `name` of `owner`, which must be there."""
    value = owner.get(name)
    if value is None:
        raise WrongFieldError("is missing", f".{name}")
    try:
        return read(value)
    except WrongFieldError as error:
        raise error.within(f".{name}") from error


def maybe_in(owner: Mapping[str, Any], name: str, read: Callable[[Any], _Read], default: _Read) -> _Read:
    """What `read` makes of the field `name` of `owner`; `default` where it is absent or null."""
    return default if owner.get(name) is None else field_in(owner, name, read)
