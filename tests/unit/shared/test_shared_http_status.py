from __future__ import annotations

import inspect

import pytest

from provider_router.domain.errors import Reason, failure
from shared.errors import NexusError, taxonomy
from shared.errors.http_status import http_status_of
from shared.http_server.refusals import Refusal, refusal

CLASSES = [
    cls for _, cls in inspect.getmembers(taxonomy, inspect.isclass) if issubclass(cls, NexusError) and cls != NexusError
]
OPERATORS = {
    Reason.LIMITS_INVALID,
    Reason.PRICE_UNKNOWN,
    Reason.NO_MODEL_CONFIGURED,
    Reason.PROVIDER_NOT_CONFIGURED,
    Reason.PROVIDER_REFUSED_KEY,
    Reason.PROVIDER_MODEL_MISSING,
}


@pytest.mark.parametrize("cls", CLASSES)
def test_every_class_has_a_status(cls: type[NexusError]) -> None:
    assert 400 <= http_status_of(cls("ANY", "Any.")) <= 504


def test_a_class_made_of_another_has_its_status() -> None:
    class Special(taxonomy.QuotaExceeded):
        pass

    assert http_status_of(Special("ANY", "Any.")) == 429


@pytest.mark.parametrize("reason", Reason)
def test_only_what_a_caller_can_put_right_is_the_callers_fault(reason: Reason) -> None:
    error = failure(reason, "Any.")
    theirs = isinstance(error, taxonomy.UpstreamDown | taxonomy.DeadlineExceeded) or reason in OPERATORS
    assert (http_status_of(error) >= 500) == (theirs and reason is not Reason.PROVIDER_RATE_LIMITED)


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.MODEL_UNKNOWN, 404),
        (Reason.BUDGET_EXHAUSTED, 429),
        (Reason.NO_ROUTE, 400),
        (Reason.PROVIDER_BAD_RESPONSE, 502),
        (Reason.PROVIDER_RATE_LIMITED, 429),
        (Reason.PROVIDER_TIMEOUT, 504),
        (Reason.DEADLINE_EXCEEDED, 504),
    ],
)
def test_reasons(reason: Reason, status: int) -> None:
    assert http_status_of(failure(reason, "Any.")) == status


@pytest.mark.parametrize(
    ("refused", "status"),
    [
        (Refusal.REQUEST_MALFORMED, 400),
        (Refusal.HEAD_TOO_LARGE, 431),
        (Refusal.HEAD_TOO_SLOW, 408),
        (Refusal.TARGET_TOO_LONG, 414),
        (Refusal.BODY_TOO_LARGE, 413),
        (Refusal.BODY_TOO_SLOW, 408),
        (Refusal.BODIES_TOO_LARGE, 503),
        (Refusal.TOO_MANY_CONNECTIONS, 503),
        (Refusal.INTERNAL, 500),
    ],
)
def test_refusals_of_the_server(refused: Refusal, status: int) -> None:
    assert http_status_of(refusal(refused)) == status
