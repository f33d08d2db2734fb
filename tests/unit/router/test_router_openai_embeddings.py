"""Embeddings and lists of models as OpenAI has them."""

from __future__ import annotations

import base64
import struct
from typing import Any

import orjson
import pytest
from openai.types import CreateEmbeddingResponse, Model
from router_fakes import service_of

from provider_router.domain.calls.embedding import Embeddings
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.configuration.troubles import Troubles
from provider_router.servicer.http.openai_chat.embeddings import embeddings_body, embeddings_wanted
from provider_router.servicer.http.openai_chat.models import model_body, models_body
from provider_router.use_cases.embed_texts import EmbeddedTexts
from provider_router.use_cases.list_models import ListedModel, ListedModels
from shared.errors import InvalidInput

MADE = EmbeddedTexts("one/mini", Embeddings(((0.6, 0.8), (1.0, 0.0)), TokenUsage(7)))
LISTED = ListedModels((ListedModel(service_of("one/m"), None, True, False),), (), Troubles())


def test_one_text_or_many() -> None:
    one = embeddings_wanted({"model": "m", "input": "Hi", "user": "u", "dimensions": None, "metadata": {"a": "b"}})
    assert (one.texts, one.model, one.dimensions, one.in_base64) == (("Hi",), "m", 0, False)
    many = embeddings_wanted({"model": "m", "input": ["a", "b"], "encoding_format": "base64", "dimensions": 2})
    assert (list(many.texts), many.dimensions, many.in_base64) == (["a", "b"], 2, True)


@pytest.mark.parametrize(
    ("fields", "field", "description"),
    [
        ({"input": "x"}, "model", "is missing"),
        ({"model": "m"}, "input", "is missing"),
        ({"model": "m", "input": ""}, "input", "must not be empty"),
        ({"model": "m", "input": []}, "input", "must have at least 1 item"),
        ({"model": "m", "input": ["a", ""]}, "input[1]", "must not be empty"),
        ({"model": "m", "input": ["a", 1]}, "input[1]", "must be text"),
        ({"model": "m", "input": ["a"] * 2049}, "input", "must have at most 2048 items"),
        ({"model": "m", "input": "x" * 65_537}, "input", "must have at most 65536 characters"),
        ({"model": "m", "input": [1, 2]}, "input", "tokens are not taken"),
        ({"model": "m", "input": [[1], [2]]}, "input", "tokens are not taken"),
        ({"model": "m", "input": "x", "encoding_format": "hex"}, "encoding_format", "must be one of float, base64"),
        ({"model": "m", "input": "x", "dimensions": 0}, "dimensions", "must be from 1"),
        ({"model": "m", "input": "x", "input_type": "query"}, "input_type", "is no parameter of embeddings"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(fields: dict[str, Any], field: str, description: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        embeddings_wanted(fields)
    assert caught.value.violations[0].field == field
    assert description in caught.value.violations[0].description


def test_vectors_as_numbers() -> None:
    body = orjson.loads(embeddings_body(embeddings_wanted({"model": "m", "input": ["a", "b"]}), MADE))
    assert body == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.6, 0.8]},
            {"object": "embedding", "index": 1, "embedding": [1.0, 0.0]},
        ],
        "model": "mini",
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    }
    CreateEmbeddingResponse.model_validate(body)


def test_vectors_in_base64_are_little_endian_floats() -> None:
    wanted = embeddings_wanted({"model": "m", "input": ["a", "b"], "encoding_format": "base64"})
    first = orjson.loads(embeddings_body(wanted, MADE))["data"][0]["embedding"]
    assert struct.unpack("<2f", base64.b64decode(first)) == pytest.approx((0.6, 0.8))


def test_other_dimensions_are_refused() -> None:
    wanted = embeddings_wanted({"model": "m", "input": "a", "dimensions": 3})
    wanted.check_dimensions(0)
    wanted.check_dimensions(3)
    with pytest.raises(InvalidInput) as caught:
        embeddings_body(wanted, MADE)
    assert (caught.value.reason, caught.value.violations[0].field) == ("UNSUPPORTED_CAPABILITY", "dimensions")


def test_models() -> None:
    body = orjson.loads(models_body(LISTED, ["nexus/auto"]))
    assert body["object"] == "list"
    assert [(each["id"], each["owned_by"]) for each in body["data"]] == [("nexus/auto", "nexus"), ("one/m", "one")]
    for each in body["data"]:
        Model.model_validate(each)
    assert orjson.loads(model_body(LISTED, ["nexus/auto"], "one/m")) == body["data"][1]
    with pytest.raises(InvalidInput) as caught:
        model_body(LISTED, [], "two/m")
    assert caught.value.reason == "MODEL_UNKNOWN"
