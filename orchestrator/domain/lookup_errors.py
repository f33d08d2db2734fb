"""The refusals that several stores and use cases share."""

from __future__ import annotations

from collections.abc import Iterable

from shared.errors import AlreadyExists, FieldViolation, InvalidInput, NotFound


def run_not_found(run_id: str) -> NotFound:
    """Return the refusal for a run that is not there or belongs to somebody else."""
    return NotFound("RUN_NOT_FOUND", f"There is no run {run_id!r}.", metadata={"run_id": run_id})


def conversation_not_found(conversation_id: str) -> NotFound:
    """Return the refusal for a conversation that is not there or belongs to somebody else."""
    return NotFound(
        "CONVERSATION_NOT_FOUND",
        f"There is no conversation {conversation_id!r}.",
        metadata={"conversation_id": conversation_id},
    )


def request_id_reused(request_id: str) -> AlreadyExists:
    """Return the refusal for a request id that stands for something else already."""
    return AlreadyExists(
        "REQUEST_ID_REUSED",
        f"The request id {request_id!r} was used for another request. Choose a new one.",
        metadata={"request_id": request_id},
    )


def residency_conflict(asked: Iterable[str], earlier: Iterable[str]) -> InvalidInput:
    """Return the refusal for a question whose conversation may not be processed where it asks for."""
    return InvalidInput(
        "RESIDENCY_CONFLICT",
        f"This question may be processed in {', '.join(asked)} only, and earlier ones of its conversation, which go "
        f"with it, in {', '.join(earlier)} only. Ask it in a new conversation.",
        violations=[FieldViolation("routing.residency", "has no region that the conversation allows")],
    )
