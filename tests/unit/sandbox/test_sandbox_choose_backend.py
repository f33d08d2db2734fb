"""The weakest backend that is strong enough is taken, and a refusal says what to do."""

from __future__ import annotations

import pytest
from sandbox_fakes import FakeBackend

from sandbox_service.domain.isolation import IsolationReport
from sandbox_service.domain.isolation_level import IsolationLevel
from sandbox_service.use_cases.choose_backend import ChooseBackend
from shared.errors import PreconditionFailed
from shared.testing.fakes import FakeClock

WEAK, STRONG, STRONGEST = IsolationLevel


def _backend(level: IsolationLevel, remedy: str = "") -> FakeBackend:
    return FakeBackend(IsolationReport(not remedy, remedy, level.name.lower(), (), level))


@pytest.mark.parametrize(("least", "index"), [(WEAK, 0), (STRONG, 1)])
async def test_the_weakest_that_is_strong_enough_is_taken(least, index) -> None:
    backends = (_backend(WEAK), _backend(STRONG))
    assert await ChooseBackend(backends, FakeClock())(least) is backends[index]
    assert [backend.probes for backend in backends] == [1, index]


async def test_a_stronger_one_stands_in_for_a_weaker_one_that_does_not_work() -> None:
    backends = (_backend(WEAK, "Mend it."), _backend(STRONG))
    assert await ChooseBackend(backends, FakeClock())(WEAK) is backends[1]


@pytest.mark.parametrize(
    ("stronger", "least", "remedy"),
    [
        ((), STRONG, "NEXUS_SANDBOX_RUNSC"),
        ((), STRONGEST, "ports/isolation_backend.py"),
        ((_backend(STRONG, "Mend it."),), STRONG, "Mend it."),
        ((_backend(STRONG),), STRONGEST, "/dev/kvm"),
    ],
)
async def test_too_weak_a_host_is_told_how_to_be_stronger(stronger, least, remedy) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        await ChooseBackend((_backend(WEAK), *stronger), FakeClock())(least)
    assert caught.value.reason == "ISOLATION_TOO_WEAK"
    assert remedy in caught.value.metadata["remedy"]
    assert remedy in caught.value.message
    assert caught.value.metadata["wanted"] == least.name.lower()


async def test_where_nothing_works_the_default_ones_remedy_is_given() -> None:
    with pytest.raises(PreconditionFailed) as caught:
        await ChooseBackend((_backend(WEAK, "Mend it."), _backend(STRONG, "And this.")), FakeClock())(WEAK)
    assert caught.value.reason == "ISOLATION_UNAVAILABLE"
    assert "Mend it." in caught.value.message


async def test_all_are_reported_with_those_that_could_be() -> None:
    reports = await ChooseBackend((_backend(WEAK),), FakeClock()).reports()
    assert [(report.backend, report.available) for report in reports] == [
        ("namespaces", True),
        ("gvisor", False),
        ("firecracker", False),
    ]
    both = await ChooseBackend((_backend(WEAK), _backend(STRONG)), FakeClock()).reports()
    assert [report.backend for report in both] == ["namespaces", "user_kernel", "firecracker"]
