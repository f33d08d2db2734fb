"""The published document of the HTTP surfaces is valid, and says what the checked-in structures say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from openapi_spec_validator import validate

from provider_router.servicer.http.openapi.__main__ import DOCUMENT
from provider_router.servicer.http.openapi.document import document, document_json
from provider_router.servicer.http.routing_headers import OF_EMBEDDINGS


def test_the_document_is_valid() -> None:
    validate(document())


def test_the_checked_in_document_is_made_of_what_is_checked_in() -> None:
    assert DOCUMENT.read_bytes() == document_json(), "python -m provider_router.servicer.http.openapi"


def test_every_schema_is_used_and_every_operation_has_its_errors() -> None:
    said = json.dumps(document())
    assert [name for name in document()["components"]["schemas"] if f'schemas/{name}"' not in said] == []
    for path, methods in document()["paths"].items():
        for operation in methods.values():
            assert path == "/healthz" or {"400", "401", "404", "429", "500", "503"} <= operation["responses"].keys()


def test_every_operation_lists_the_headers_that_it_takes_and_gives() -> None:
    def listed(path: str) -> Iterator[set[str]]:
        (operation,) = document()["paths"][path].values()
        asked = {each["$ref"].rpartition("/")[2] for each in operation.get("parameters", ())}
        return ({name for name in each if name.startswith("x-nexus-")} for each in (asked, _given(operation)))

    for path in ("/v1/chat/completions", "/v1/responses", "/v1/messages"):
        asked, given = listed(path)
        assert asked >= {"x-nexus-cache", "x-nexus-on-break", "x-nexus-drop-unsupported"}
        assert given >= {"x-nexus-warnings", "x-nexus-continued-by", "x-nexus-cache"}
    asked, given = listed("/v1/embeddings")
    assert asked == {f"x-nexus-{name}" for name in OF_EMBEDDINGS}
    assert given == {f"x-nexus-{name}" for name in ("decision-id", "provider", "model", "attempts", "cost-usd")}
    assert [*listed("/v1/messages/count_tokens")][1] == set()


def _given(operation: dict[str, Any]) -> set[str]:
    return set(operation["responses"]["200"]["headers"])
