"""Whoever gives a provider less time than it needs has nobody else's calls kept away from it."""

from __future__ import annotations

import pytest
from router_answer_rig import Rig
from router_fakes import FakeChatModel

from provider_router.domain.calls.events import TextDelta
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.errors import Reason, failure
from provider_router.domain.traffic.call_verdict import Verdict, verdict_of
from shared.errors import NexusError

LATE = failure(Reason.PROVIDER_TIMEOUT, "x")


async def verdicts(rig: Rig, **options: object) -> list[Verdict]:
    with pytest.raises(NexusError):
        await rig.events(**options)
    return [verdict_of(report) for _, report in rig.deployments.reports]


async def test_a_caller_without_patience_says_nothing_about_the_provider() -> None:
    rig = Rig({"one/m": FakeChatModel([LATE])}, tries=1)
    assert await verdicts(rig, timeout_ms=20) == [Verdict.NOTHING]
    assert rig.outcomes() == [("one/m", "failed", "PROVIDER_TIMEOUT")]
    # As if it had left: nobody has providers work for nothing by giving them no time.
    assert (rig.rows[0].closing.usage, rig.rows[0].closing.estimated, rig.cost_micro_usd()) == (TokenUsage(1), True, 1)


@pytest.mark.parametrize("options", [{}, {"timeout_ms": 30_000}])
async def test_who_keeps_silent_for_as_long_as_it_should_need_is_at_fault(options: dict[str, int]) -> None:
    rig = Rig({"one/m": FakeChatModel([LATE])}, tries=1)
    assert await verdicts(rig, **options) == [Verdict.FAULT]


@pytest.mark.parametrize(("passed_s", "verdict"), [(0.5, Verdict.FAULT), (2.0, Verdict.NOTHING)])
async def test_after_the_first_piece_the_end_of_the_callers_time_is_nobodys_fault(
    passed_s: float, verdict: Verdict
) -> None:
    rig = Rig({"one/m": FakeChatModel([TextDelta("a"), LATE])}, tries=1)
    texts = rig.stream(timeout_ms=2_000)
    await anext(texts)
    await anext(texts)
    rig.clock.advance(passed_s)
    with pytest.raises(NexusError):
        await anext(texts)
    assert [verdict_of(report) for _, report in rig.deployments.reports] == [verdict]


async def test_the_rules_own_limit_is_the_providers_to_keep() -> None:
    rig = Rig({"one/m": FakeChatModel([LATE])}, tries=1, total_timeout_ms=50)
    assert await verdicts(rig) == [Verdict.FAULT]
