"""Asks a search engine's HTTP API: one request to one configured server, and JSON back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import orjson

from tool_executor.domain.tool_call import ToolFailure, ToolStatus
from tool_executor.domain.web_exchange import WebFailure, WebFault, WebRequest
from tool_executor.ports.web_client import WebClient
from tool_executor.ports.web_gate import WebGate

MAX_BYTES = 2 * 1024 * 1024


async def asked(client: WebClient, request: WebRequest, gate: WebGate, *, refusal: str) -> Mapping[str, object]:
    """Return the object that the engine answers `request` with.

    Args:
        client: asks.
        request: goes to the engine.
        gate: admits the engine alone.
        refusal: what the operator does when the engine refuses (401, 403).

    Raises:
        ToolFailure: as `SearchEngine.search`.
    """
    try:
        answer = await client.send(request, gate)
    except WebFailure as failure:
        if failure.fault is WebFault.TIMEOUT:
            raise ToolFailure(
                "WEB_SEARCH_TIMEOUT",
                "The search engine did not answer in time.",
                status=ToolStatus.TIMEOUT,
                broken=True,
            ) from failure
        raise ToolFailure(
            "WEB_SEARCH_FAILED", f"The search engine cannot be asked. {failure.message}", broken=True
        ) from failure
    if answer.status in {401, 403}:
        raise ToolFailure(
            "WEB_SEARCH_REFUSED", f"The search engine refuses to answer ({answer.status}). {refusal}", broken=True
        )
    if answer.status == 429:
        raise ToolFailure("WEB_SEARCH_LIMITED", "The search engine was asked too often. Try again later.", broken=True)
    try:
        found: object = orjson.loads(answer.body) if answer.status == 200 else None
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise ToolFailure(
            "WEB_SEARCH_FAILED",
            f"The search engine answers with status {answer.status} and nothing that can be read.",
            broken=True,
        )
    return cast("Mapping[str, object]", found)


def list_in(value: object) -> list[object]:
    """Return `value` when it is a list; an empty one for anything else."""
    return cast("list[object]", value) if isinstance(value, list) else []


def rows_in(value: object) -> list[Mapping[str, object]]:
    """Return the objects of a list; none for anything else."""
    return [cast("Mapping[str, object]", row) for row in list_in(value) if isinstance(row, dict)]
