"""Names the fields of a contract's message that are wrong."""

from __future__ import annotations

from collections.abc import Sequence

from protos.gen.nexus.router.v1 import contract_pb2 as pb
from provider_router.domain.contracts.field_names import Path, field_text
from provider_router.domain.errors import Reason, failure
from shared.errors import FieldViolation, NexusError


def field_of(path: Path, message: pb.Contract) -> str:
    """The path in a request of what stands at `path` in the domain: `contract.prices[0].rates.input_micro_usd`."""
    return field_text(_indexed(path, message))


def refused(violations: Sequence[FieldViolation]) -> NexusError:
    """The refusal of a contract; `violations` are all that is wrong with it, at least one."""
    first = violations[0]
    more = f" ({len(violations) - 1} more)" if len(violations) > 1 else ""
    return failure(Reason.CONTRACT_INVALID, f"{first.field}: {first.description}{more}.", violations=violations)


def _indexed(path: Path, message: pb.Contract) -> Path:
    """`path` with indexes where the message has a list and the domain a mapping."""
    if path[0] == "traits" and len(path) > 1:
        return "traits", [trait.name for trait in message.traits].index(str(path[1]))
    if path[:2] == ("quality", "by_task") and len(path) > 2:
        return "quality", "by_task", [each.task_class for each in message.quality.by_task].index(str(path[2]))
    return path
