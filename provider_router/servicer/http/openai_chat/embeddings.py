"""Reads requests for embeddings, and writes their answers."""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from provider_router.domain.errors import Reason, failure
from provider_router.servicer.http.fields import (
    LISTED_VIOLATIONS,
    WrongFieldError,
    count_in,
    each_in,
    invalid,
    list_in,
    one_of,
    text_in,
    word_in,
)
from provider_router.servicer.http.surface import told_model
from provider_router.servicer.http.unknown_fields import HINTS, says_nothing
from provider_router.use_cases.embed_texts import EmbeddedTexts
from shared.errors import FieldViolation

_MOST_TEXTS = 2048
_MOST_TEXT = 65_536
_MOST_DIMENSIONS = 65_536


@dataclass(frozen=True, slots=True)
class EmbeddingsWanted:
    """What a body asks for.

    Attributes:
        texts: To embed, 1 to 2,048.
        model: As the caller wrote it.
        dimensions: How long the vectors must be; 0 for the model's own length.
        in_base64: Whether the vectors are to be told as 32-bit numbers in base64.
    """

    texts: Sequence[str]
    model: str
    dimensions: int = 0
    in_base64: bool = False

    def check_dimensions(self, given: int) -> None:
        """Checks that vectors of the length `given`, 0 for unknown, are what is asked for: none is ever shortened.

        Raises:
            InvalidInput: UNSUPPORTED_CAPABILITY.
        """
        if self.dimensions and given and given != self.dimensions:
            raise failure(
                Reason.UNSUPPORTED_CAPABILITY,
                f"The model's vectors have {given} dimensions; leave out `dimensions`, or ask for that many.",
                violations=[FieldViolation("dimensions", f"must be {given}")],
            )


def embeddings_wanted(fields: Mapping[str, Any]) -> EmbeddingsWanted:
    """Reads a parsed body; null stands for what is absent.

    Raises:
        InvalidInput: REQUEST_INVALID, with the fields that are wrong.
    """
    read, wrong = dict[str, Any](), list[FieldViolation]()
    for name, value in fields.items():
        if value is None:
            continue
        try:
            if name in _FIELDS:
                read[name] = _FIELDS[name](value)
            elif name not in HINTS and not says_nothing(name, value):
                raise WrongFieldError("is no parameter of embeddings")  # noqa: TRY301 - as the other readers raise it
        except WrongFieldError as error:
            wrong.append(FieldViolation(name + error.path, error.description))
            if len(wrong) >= LISTED_VIOLATIONS:
                break
    wrong += [FieldViolation(name, "is missing") for name in ("model", "input") if fields.get(name) is None]
    if wrong:
        raise invalid(wrong)
    return EmbeddingsWanted(
        read["input"], read["model"], read.get("dimensions", 0), read.get("encoding_format") == "base64"
    )


def embeddings_body(wanted: EmbeddingsWanted, embedded: EmbeddedTexts) -> bytes:
    """The JSON body of the answer; `usage` is left out where the provider did not count.

    Raises:
        InvalidInput: UNSUPPORTED_CAPABILITY.
    """
    vectors = embedded.embeddings.vectors
    wanted.check_dimensions(len(vectors[0]))
    body: dict[str, Any] = {
        "object": "list",
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": _in_base64(vector) if wanted.in_base64 else vector,
            }
            for index, vector in enumerate(vectors)
        ],
        "model": told_model(embedded.model),
    }
    usage = embedded.embeddings.usage
    if usage is not None:
        body["usage"] = {"prompt_tokens": usage.input_tokens, "total_tokens": usage.input_tokens}
    return orjson.dumps(body)


def _in_base64(vector: Sequence[float]) -> str:
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers).decode()


def _texts(value: Any) -> Sequence[str]:
    if type(value) is str:
        return (word_in(value, _MOST_TEXT),)
    listed = list_in(value, 1, _MOST_TEXTS)
    if type(listed[0]) is not str:
        raise WrongFieldError("must be a text or a list of texts; tokens are not taken, since models differ in them")
    return each_in(listed, lambda text: word_in(text, _MOST_TEXT))


_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "input": _texts,
    "model": lambda value: word_in(value, 256),
    "dimensions": lambda value: count_in(value, 1, _MOST_DIMENSIONS),
    "encoding_format": lambda value: one_of(value, ("float", "base64")),
    "user": text_in,
}
