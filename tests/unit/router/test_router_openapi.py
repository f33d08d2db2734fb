"""The published document of the HTTP surfaces is valid, and says what the checked-in structures say."""

from __future__ import annotations

import json

from openapi_spec_validator import validate

from provider_router.servicer.http.openapi.__main__ import DOCUMENT
from provider_router.servicer.http.openapi.document import document, document_json


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
