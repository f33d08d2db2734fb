from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.supervisor.domain.process_status import (
    Health,
    ProcessState,
    ProcessStatus,
    WrongTransitionError,
    checked,
    ended,
    launched,
    stopped,
    stopping,
)
from mesh.supervisor.domain.restart_policy import RestartPolicy

AT = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = RestartPolicy(reset_after_s=30, start_attempts=3)
RUNNING = {ProcessState.STARTING, ProcessState.READY, ProcessState.UNHEALTHY}


def ready(at_s=1.0):
    return checked(launched(ProcessStatus("tools"), 7, AT, 0.0), Health.SERVING, at_s)


def test_a_process_that_serves_is_ready_and_remembers_how_long_that_took():
    status = ready(at_s=1.5)
    assert (status.state, status.ready_after_s, status.ever_ready) == (ProcessState.READY, 1.5, True)


def test_a_check_that_changes_nothing_returns_the_same_status():
    status = ready()
    assert checked(status, Health.SERVING, 9.0) is status
    starting = launched(ProcessStatus("tools"), 7, AT, 0.0)
    assert checked(starting, Health.SILENT, 9.0) is starting


def test_a_process_that_falls_silent_is_unhealthy_and_keeps_its_pid_until_it_recovers():
    sick = checked(ready(), Health.SILENT, 5.0)
    assert (sick.state, sick.pid) == (ProcessState.UNHEALTHY, 7)
    assert checked(sick, Health.SERVING, 6.0).state is ProcessState.READY


def test_a_crash_after_long_health_counts_as_the_first_one():
    status = ended(ready(at_s=1.0), "exit code 1", 2.0, POLICY)
    assert status.crashes_in_a_row == 1
    again = checked(launched(status, 8, AT, 3.0), Health.SERVING, 4.0)
    assert ended(again, "exit code 1", 5.0, POLICY).crashes_in_a_row == 2
    assert ended(again, "exit code 1", 34.0, POLICY).crashes_in_a_row == 1


def test_a_process_that_never_worked_fails_at_the_last_attempt():
    status = ProcessStatus("tools")
    for _ in range(2):
        status = ended(launched(status, 7, AT, 0.0), "exit code 1", 0.1, POLICY)
        assert status.state is ProcessState.BACKOFF
    status = ended(launched(status, 7, AT, 0.0), "exit code 1", 0.1, POLICY)
    assert (status.state, status.pid, status.restarts) == (ProcessState.FAILED, None, 2)


def test_a_failure_stays_visible_after_the_stop():
    failed = ended(ProcessStatus("tools"), "no memory", 0.1, RestartPolicy(start_attempts=1))
    assert stopped(stopping(failed)).state is ProcessState.FAILED


def test_a_process_cannot_be_launched_twice_nor_end_while_it_is_stopped_on_purpose():
    with pytest.raises(WrongTransitionError):
        launched(ready(), 8, AT, 1.0)
    with pytest.raises(WrongTransitionError):
        ended(stopping(ready()), "exit code 0", 1.0, POLICY)


@given(st.lists(st.sampled_from(["launch", "serve", "refuse", "silence", "end", "stop"]), max_size=40))
def test_whatever_happens_a_pid_is_there_exactly_while_there_is_a_process(happenings):
    status, now_s = ProcessStatus("tools"), 0.0
    for happening in happenings:
        now_s += 1.0
        before = status
        if happening == "launch" and status.state in {ProcessState.STOPPED, ProcessState.BACKOFF}:
            status = launched(status, int(now_s), AT, now_s)
        elif happening in ("serve", "refuse", "silence") and status.state in RUNNING:
            health = {"serve": Health.SERVING, "refuse": Health.NOT_SERVING, "silence": Health.SILENT}[happening]
            status = checked(status, health, now_s)
        elif happening == "end" and status.state in RUNNING:
            status = ended(status, "exit code 1", now_s, POLICY)
        elif happening == "stop":
            status = stopped(stopping(status))
        assert status.alive == (status.pid is not None)
        assert (status.healthy_since_s is not None) == (status.state is ProcessState.READY)
        assert status.restarts >= before.restarts
        assert not (status.state is ProcessState.FAILED and status.ever_ready)
