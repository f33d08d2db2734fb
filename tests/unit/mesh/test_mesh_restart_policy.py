from hypothesis import given
from hypothesis import strategies as st

from mesh.supervisor.domain.restart_policy import RestartPolicy

POLICY = RestartPolicy(first_delay_s=0.2, longest_delay_s=10.0, start_attempts=5)


def test_the_delay_doubles_from_a_fifth_of_a_second_to_ten_seconds():
    assert [POLICY.delay_s(n) for n in range(1, 8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0]


@given(st.integers(1, 10**9))
def test_the_delay_never_shrinks_and_never_leaves_its_bounds(crashes):
    assert 0.2 <= POLICY.delay_s(crashes) <= POLICY.delay_s(crashes + 1) <= 10.0


@given(st.integers(1, 10**6))
def test_what_worked_once_is_never_given_up(crashes):
    assert not POLICY.gives_up(crashes, ever_ready=True)


@given(st.integers(1, 10**6))
def test_what_never_worked_is_given_up_from_the_fifth_crash_on(crashes):
    assert POLICY.gives_up(crashes, ever_ready=False) == (crashes >= 5)
