"""What a call says about the provider that it went to."""

from __future__ import annotations

from enum import StrEnum

from provider_router.domain.errors import Reason
from provider_router.domain.traffic.lease import CallReport


class Verdict(StrEnum):
    """What one finished call says."""

    GOOD = "good"  # the provider did its work, be it to say what is wrong with the request
    FAULT = "fault"  # the provider failed
    LIMITED = "limited"  # the key, or the caller's network, has used up what it may
    REFUSED = "refused"  # the key is not good for this model
    NOTHING = "nothing"


FAULTS = frozenset(
    {
        Reason.PROVIDER_UNREACHABLE,
        Reason.PROVIDER_TIMEOUT,
        Reason.PROVIDER_ERROR,
        Reason.PROVIDER_BAD_RESPONSE,
        Reason.STREAM_BROKEN,
        # Health is kept for each model at each deployment: one that has not got the model is broken for it.
        Reason.PROVIDER_MODEL_MISSING,
    }
)
_ANSWERED = frozenset({None, Reason.CONTEXT_TOO_LONG, Reason.PROVIDER_REFUSED_REQUEST})


def verdict_of(report: CallReport) -> Verdict:
    """What `report` says. A call that was given up says nothing, and neither does a reason of the router's own."""
    if not report.finished:
        return Verdict.NOTHING
    if report.reason in _ANSWERED:
        return Verdict.GOOD
    if report.reason in FAULTS:
        return Verdict.FAULT
    if report.reason is Reason.PROVIDER_RATE_LIMITED:
        return Verdict.LIMITED
    return Verdict.REFUSED if report.reason is Reason.PROVIDER_REFUSED_KEY else Verdict.NOTHING
