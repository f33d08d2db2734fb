"""Metrics of hot paths: a scrape cannot tell them from the library's own."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

from shared.telemetry.tally import Counts, Levels, Spreads

BUCKETS = (0.1, 1, 2.5, 60)


def exposed(name: str) -> list[str]:
    """What a scrape tells of the metrics whose names begin so, as if their names were `metric`."""
    lines = [line for line in generate_latest(REGISTRY).decode().splitlines() if name in line]
    return [line.replace(name, "metric") for line in lines if "_created" not in line]


def test_a_histogram_is_told_as_the_librarys_is() -> None:
    ours = Spreads("tally_our_seconds", "How long.", ["kind"], buckets=BUCKETS)
    theirs = Histogram("tally_their_seconds", "How long.", ["kind"], buckets=BUCKETS)
    for kind, amount in (("a", 0.05), ("a", 0.1), ("a", 0.11), ("a", 60), ("a", 61), ("b", 2)):
        ours.labels(kind).observe(amount)
        theirs.labels(kind).observe(amount)
    assert exposed("tally_our_seconds") == exposed("tally_their_seconds") != []


def test_a_counter_is_told_as_the_librarys_is() -> None:
    ours, theirs = (
        kind(f"tally_{name}_total", "So many.", ["a", "b"]) for kind, name in ((Counts, "some"), (Counter, "many"))
    )
    for family in (ours, theirs):
        family.labels("x", 'a "quoted" one').inc()
        family.labels("x", 'a "quoted" one').inc(0.5)
        family.labels("y", "z").inc(0)
    assert exposed("tally_some") == exposed("tally_many") != []


def test_a_gauge_is_told_as_the_librarys_is() -> None:
    ours, theirs = (kind(f"tally_{name}", "So many now.", ["a"]) for kind, name in ((Levels, "now"), (Gauge, "then")))
    for family in (ours, theirs):
        family.labels("x").inc()
        family.labels("x").inc()
        family.labels("x").dec()
    assert exposed("tally_now") == exposed("tally_then") != []


def test_a_metric_has_the_labels_of_its_family() -> None:
    with pytest.raises(ValueError, match="other labels"):
        Counts("tally_labelled_total", "So many.", ["a"]).labels("x", "y")
