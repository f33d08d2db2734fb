"""Checks a parsed file against its form, and says in the file's own terms what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from provider_router.adapters.yaml_file.located_yaml import Path
from provider_router.adapters.yaml_file.source_file import SourceFile

_Form = TypeVar("_Form", bound=BaseModel)
_MESSAGES: Mapping[str, str] = {
    "extra_forbidden": "there is no such field",
    "missing": "is missing",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "string_pattern_mismatch": "has characters that are not allowed here",
}


def validated(source: SourceFile, form: type[_Form]) -> _Form:
    """Returns `source` in its form.

    Unknown fields are for `form` to refuse. One problem is reported: a misspelt field explains why another one is
    missing, so it goes first.

    Raises:
        RefusedFileError: With file, line, path of the field and reason; never with a value of the file.
    """
    return validated_part(source, (), source.located.data, form)


def validated_part(source: SourceFile, where: Path, data: Any, form: type[_Form]) -> _Form:
    """Returns `data`, which stands at `where` in `source`, in its form.

    `data` may hold more than the file does, such as what it builds upon; a problem there is shown at the nearest place
    that the file has.

    Raises:
        RefusedFileError: As `validated`.
    """
    with source.blamed():
        try:
            return form.model_validate(data)
        except ValidationError as error:
            problems = error.errors(include_input=False, include_url=False, include_context=False)
            place, message = _reported(data, problems)
            raise source.located.wrong((*where, *place), message) from error


def _reported(data: Any, problems: Sequence[Mapping[str, Any]]) -> tuple[Path, str]:
    misspelt = [problem for problem in problems if problem["type"] == "extra_forbidden"]
    problem = (misspelt or problems)[0]
    kind = str(problem["type"])
    message = _MESSAGES.get(kind) or _in_plain_words(str(problem["msg"]))
    return place_of(data, problem["loc"], is_missing=kind == "missing"), message


def _in_plain_words(message: str) -> str:
    """What the form's library says, without its words for a section whose `type` is none of those there are."""
    _, one_of, types = message.partition("does not match any of the expected tags: ")
    if one_of:
        return f"`type` must be one of {types}"
    return message.removeprefix("Value error, ").replace("Input should be", "must be", 1)


def place_of(data: Any, loc: Sequence[str | int], *, is_missing: bool = False) -> Path:
    """The path in the file of a problem that pydantic reports at `loc`.

    Pydantic puts names of types between the levels of the file where a value may have one of several types; they are
    left out. The last part of a field that is missing is kept although the file does not have it.
    """
    place: list[str | int] = []
    for index, part in enumerate(loc):
        if _has(data, part):
            data = data[part]
            place.append(part)
        elif is_missing and index == len(loc) - 1:
            place.append(part)
    return tuple(place)


def _has(data: Any, part: str | int) -> bool:
    if isinstance(data, dict):
        return part in cast("dict[Any, Any]", data)
    return isinstance(data, list) and isinstance(part, int) and part < len(cast("list[Any]", data))
