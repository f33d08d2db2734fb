from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_service.domain.outcome import Ending, KillReason, Status, status_of

endings = st.builds(
    Ending, st.integers(-1, 255), st.integers(0, 64), st.integers(0, 3), st.none() | st.sampled_from(KillReason)
)


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        (Ending(0, 0), Status.OK),
        (Ending(1, 0), Status.ERROR),
        (Ending(-1, 11), Status.ERROR),
        (Ending(-1, 9, out_of_memory_kills=1), Status.OUT_OF_MEMORY),
        (Ending(1, 0, out_of_memory_kills=2), Status.OUT_OF_MEMORY),
        (Ending(0, 0, out_of_memory_kills=1), Status.OK),
        (Ending(-1, 9, kill_reason=KillReason.WALL_TIME), Status.TIMEOUT),
        (Ending(-1, 9, kill_reason=KillReason.MEMORY), Status.OUT_OF_MEMORY),
        (Ending(-1, 9, kill_reason=KillReason.ABANDONED), Status.KILLED),
        (Ending(0, 0, kill_reason=KillReason.OUTPUT), Status.OUTPUT_LIMIT),
    ],
)
def test_status_of_an_ending(ending: Ending, status: Status) -> None:
    assert status_of(ending) is status


@given(endings)
def test_only_an_exit_with_0_that_nobody_forced_is_ok(ending: Ending) -> None:
    assert (status_of(ending) is Status.OK) == (ending.exit_code == 0 and ending.kill_reason is None)
