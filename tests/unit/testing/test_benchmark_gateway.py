"""The arithmetic of the gateway's benchmark: what counts as a whole stream, what is compared, what is said of it."""

from __future__ import annotations

import math

import pytest

from benchmarks.gateway.answers import Told, asked_events, events, model_of_events
from benchmarks.gateway.generator import WrongAnswersError
from benchmarks.gateway.job import Endpoint, Job, job_of
from benchmarks.gateway.targets import exit_code
from benchmarks.gateway.values import Values
from benchmarks.report import Row

COUNT = 12


def told(body: bytes, size: int = 0) -> Told:
    found = Told()
    step = size or len(body)
    for at in range(0, len(body), step):
        found.add(body[at : at + step])
    return found


@pytest.mark.parametrize("size", [1, 2, 7, 61, 300, 0])
def test_a_stream_is_whole_however_it_is_cut_into_reads(size: int) -> None:
    assert told(b"".join(events(COUNT)), size).is_whole(COUNT)


def without_piece(said: list[bytes]) -> list[bytes]:
    return said[:5] + said[6:]


def with_piece_twice(said: list[bytes]) -> list[bytes]:
    return said[:5] + said[4:]


def without_end(said: list[bytes]) -> list[bytes]:
    return said[:-1]


def out_of_order(said: list[bytes]) -> list[bytes]:
    return [said[1], said[0], *said[2:]]


@pytest.mark.parametrize("spoil", [without_piece, with_piece_twice, without_end, out_of_order])
def test_a_stream_that_lost_or_doubled_something_is_not_whole(spoil) -> None:
    assert not told(b"".join(spoil(events(COUNT)))).is_whole(COUNT)


def test_the_upstream_reads_from_the_body_which_stream_is_asked_for() -> None:
    job = Job(Endpoint(1, "events/{}", headers={"authorization": "Bearer k"}), model_of_events(7, 20), pieces=7)
    head, _, body = job_of(job.line()).request().partition(b"\r\n\r\n")
    assert asked_events(body.replace(b"events/", b"")) == (7, 20)
    assert b"content-length: %d" % len(body) in head
    assert b"authorization: Bearer k" in head


def test_a_name_of_its_own_stands_for_all_models_of_the_upstream() -> None:
    assert b'"model":"nexus/fast"' in Job(Endpoint(1, "nexus/fast"), "whole").request()


def test_ratios_are_of_values_of_one_round() -> None:
    values = Values()
    # The machine was three times as slow in the second round, for both.
    for mine, its in ((40.0, 20.0), (120.0, 60.0), (50.0, 20.0)):
        values.add("CPU", "nexus", mine)
        values.add("CPU", "envoy", its)
    assert values.ratio("CPU", "nexus", "envoy") == 2.0
    assert values.difference("CPU", "nexus", "envoy") == 30.0
    assert values.median("CPU", "nexus") == 50.0
    assert math.isnan(values.ratio("CPU", "nexus", "litellm"))


def test_wrong_answers_have_no_value_and_are_told_once() -> None:
    values = Values()
    for number in range(3):
        with values.attempt("CPU", "nexus"):
            raise WrongAnswersError(f"trouble {number}")
    assert values.troubles == {"nexus, CPU": "trouble 0"}
    assert math.isnan(values.median("CPU", "nexus"))


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([Row("most", 3.9, "x", 4), Row("least", 1.8, "x", least=1.7)], 0),
        ([Row("most", 4.1, "x", 4), Row("unknown", math.nan, "x", 4)], 1),
        ([Row("least", 1.6, "x", least=1.7)], 1),
        ([Row("most", 3.9, "x", 4), Row("unknown", math.nan, "x", least=1)], 2),
    ],
)
def test_the_exit_code_says_missed_before_unknown(rows: list[Row], code: int) -> None:
    assert exit_code(rows) == code
