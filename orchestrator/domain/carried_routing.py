"""What the earlier questions of a conversation mean for how a later one is routed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from orchestrator.domain.lookup_errors import residency_conflict
from orchestrator.domain.routing import DataClass, Routing

# None is what the rules say where nobody said anything: more than public, and not less than what is internal.
_STRICTNESS: dict[DataClass | None, int] = {
    DataClass.PUBLIC: 0,
    DataClass.INTERNAL: 1,
    None: 2,
    DataClass.CONFIDENTIAL: 3,
    DataClass.RESTRICTED: 4,
}


def with_history(own: Routing, earlier: Iterable[Routing]) -> Routing:
    """Return `own` with what earlier questions of the conversation asked for: their texts go out with this one.

    The strictest data class counts, and only regions that all of them allow.

    Raises:
        InvalidInput: RESIDENCY_CONFLICT when there is no such region.
    """
    data_class, residency = own.data_class, own.residency
    for each in earlier:
        data_class = max(data_class, each.data_class, key=_STRICTNESS.__getitem__)
        allowed = tuple(region for region in residency if region in each.residency) if residency else each.residency
        if each.residency and not allowed:
            raise residency_conflict(residency, each.residency)
        residency = allowed if each.residency else residency
    return replace(own, data_class=data_class, residency=residency)
