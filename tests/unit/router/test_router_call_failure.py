"""What the error of a failed chain says of each provider."""

from __future__ import annotations

import pytest

from provider_router.domain.calls.events import Attempt
from provider_router.domain.errors import Reason, failure
from provider_router.domain.traffic.call_failure import chain_failed
from shared.errors import NexusError

OPEN = failure(Reason.CIRCUIT_OPEN, "Open.", metadata={"cause": "PROVIDER_UNREACHABLE"})
DOWN = failure(Reason.PROVIDER_UNREACHABLE, "Gone.")
GONE = "a could not be reached and is given no calls for a while (PROVIDER_UNREACHABLE)"
KEY = failure(Reason.PROVIDER_REFUSED_KEY, "No.")


def said(*failed: tuple[str, NexusError]) -> NexusError:
    attempts = [Attempt(model, error.reason, 0.0) for model, error in failed]
    return chain_failed(attempts, [error for _, error in failed], named=False)


@pytest.mark.parametrize(
    ("failed", "why"),
    [
        ([("a/m", DOWN)], "a could not be reached (PROVIDER_UNREACHABLE)"),
        # Each provider once, each with the last word of each of its models.
        ([("a/m", DOWN), ("a/n", DOWN)], "a could not be reached (PROVIDER_UNREACHABLE)"),
        ([("a/m", DOWN), ("a/m", KEY)], "a refused its key (PROVIDER_REFUSED_KEY)"),
        (
            [("a/m", OPEN), ("b/m", KEY)],
            f"{GONE}, b refused its key (PROVIDER_REFUSED_KEY)",
        ),
    ],
)
def test_what_became_of_each_provider_is_said_in_words(failed: list[tuple[str, NexusError]], why: str) -> None:
    error = said(*failed)
    assert error.metadata["why"] == why
    assert why in error.message


def test_programs_get_the_reason_of_each_model() -> None:
    error = said(("a/m", OPEN), ("b/m", KEY))
    assert {name: error.metadata[name] for name in ("a/m", "b/m")} == {
        "a/m": "CIRCUIT_OPEN",
        "b/m": "PROVIDER_REFUSED_KEY",
    }
