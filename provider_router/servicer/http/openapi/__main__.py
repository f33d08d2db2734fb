"""Writes `openapi.json` anew: `python -m provider_router.servicer.http.openapi`. A test says when that is due."""

from __future__ import annotations

from pathlib import Path

from provider_router.servicer.http.openapi.document import document_json

DOCUMENT = Path(__file__).parents[1] / "openapi.json"

if __name__ == "__main__":
    DOCUMENT.write_bytes(document_json())
