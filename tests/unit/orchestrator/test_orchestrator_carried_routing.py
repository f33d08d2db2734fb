"""What earlier questions of a conversation ask for holds for the later ones, whose prompts they are part of."""

from __future__ import annotations

import itertools

import pytest

from orchestrator.domain.carried_routing import with_history
from orchestrator.domain.routing import CacheMode, DataClass, Routing
from shared.errors import InvalidInput

OF = {name: Routing(data_class=DataClass(name)) for name in ("public", "internal", "confidential", "restricted")}
OF[""] = Routing()
STRICTER = ["public", "internal", "", "confidential", "restricted"]


@pytest.mark.parametrize(("own", "earlier"), list(itertools.product(STRICTER, STRICTER)))
def test_the_strictest_data_class_counts(own, earlier) -> None:
    strictest = max(own, earlier, key=STRICTER.index)
    assert with_history(OF[own], [OF[earlier]]) == OF[strictest]


def test_only_regions_that_all_allow() -> None:
    eu, both, anywhere = Routing(residency=("eu",)), Routing(residency=("eu", "ch")), Routing()
    assert with_history(anywhere, [both, anywhere]).residency == ("eu", "ch")
    assert with_history(both, [anywhere, eu]).residency == ("eu",)
    with pytest.raises(InvalidInput, match="RESIDENCY_CONFLICT") as caught:
        with_history(Routing(residency=("us",)), [eu])
    assert "in us only" in caught.value.message
    assert "new conversation" in caught.value.message


def test_the_rest_is_said_anew() -> None:
    earlier = Routing(tier="deep", max_cost_micro_usd=1, cache_mode=CacheMode.EXACT)
    assert with_history(Routing(tier="fast"), [earlier]) == Routing(tier="fast")
