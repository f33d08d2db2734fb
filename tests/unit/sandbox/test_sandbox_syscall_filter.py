"""The assembled filter decides as its tables say: run here by a small interpreter of classic BPF."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_service.adapters.launcher import syscalls_x86_64 as calls
from sandbox_service.adapters.launcher.seccomp import filter_of

ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
FILTER = filter_of(memfd=True, network=False)
RULES = (*calls.CONDITIONAL, calls.SOCKETS[False])
SOCKET = 41
I386 = 0x40000003


def decide(program: bytes, number: int, arguments: tuple[int, ...] = (), arch: int = calls.AUDIT_ARCH) -> int:
    words = (*arguments, *([0] * (6 - len(arguments))))
    data = b"".join((number.to_bytes(4, "little"), arch.to_bytes(4, "little"), bytes(8)))
    data += b"".join(word.to_bytes(8, "little") for word in words)
    accumulator, at = 0, 0
    while True:
        code, if_true, if_false = program[at] | program[at + 1] << 8, program[at + 2], program[at + 3]
        value = int.from_bytes(program[at + 4 : at + 8], "little")
        at += 8
        if code == 0x20:
            accumulator = int.from_bytes(data[value : value + 4], "little")
        elif code == 0x54:
            accumulator &= value
        elif code == 0x06:
            return value
        else:
            matches = {0x15: accumulator == value, 0x35: accumulator >= value}[code]
            at += 8 * (if_true if matches else if_false)


@given(st.integers(0, 600))
def test_each_call_gets_what_the_tables_say(number: int) -> None:
    if number in {rule[0] for rule in RULES}:
        return
    if number in calls.ALLOWED or number == calls.MEMFD_CREATE:
        expected = ALLOW
    else:
        expected = REFUSE | (errno.EPERM if number in calls.REFUSED else errno.ENOSYS)
    assert decide(FILTER, number) == expected


@given(st.sampled_from(RULES), st.integers(0, (1 << 64) - 1))
def test_arguments_are_judged_by_the_bits_that_the_kernel_reads(
    rule: tuple[int, int, int, tuple[int, ...], int], word: int
) -> None:
    number, argument, mask, values, error = rule
    arguments = tuple(word if n == argument else 0 for n in range(6))
    expected = ALLOW if word & mask in values else REFUSE | error
    assert decide(FILTER, number, arguments) == expected


@given(st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 32) - 1))
def test_other_conventions_are_killed(number: int, arch: int) -> None:
    if arch != calls.AUDIT_ARCH:
        assert decide(FILTER, number, arch=arch) == KILL
    assert decide(FILTER, number | calls.X32_BIT) == KILL


def test_the_tables_do_not_overlap_and_leave_nothing_dangerous_in() -> None:
    conditional = {rule[0] for rule in RULES}
    assert not calls.ALLOWED & calls.REFUSED
    assert not conditional & (calls.ALLOWED | calls.REFUSED)
    # ptrace mount umount2 pivot_root unshare setns clone3 bpf io_uring_setup userfaultfd keyctl shmget perf_event_open
    for number in (101, 165, 166, 155, 272, 308, 435, 321, 425, 323, 250, 29, 298, 304, 310, 155, 161, 175, 313, 246):
        assert number not in calls.ALLOWED


@pytest.mark.parametrize("flag", [17, 20, 25, 26, 27, 28, 29, 30])
def test_no_namespace_flag_of_clone_passes(flag: int) -> None:
    allowed = decide(FILTER, 56, (1 << flag | 17,)) == ALLOW
    assert allowed == (flag == 20)  # CLONE_SETTLS is what threads need


def test_memfd_is_refused_where_its_memory_is_not_counted() -> None:
    assert decide(filter_of(memfd=False, network=False), calls.MEMFD_CREATE) == REFUSE | errno.ENOSYS


@pytest.mark.parametrize("flags", [0x01, 0x02, 0x03, 0x21, 0x22, 0x23, 0x31, 0x20022, 0x8021])
def test_shared_memory_without_a_file_is_refused_where_it_is_not_counted(flags: int) -> None:
    uncounted = decide(filter_of(memfd=False, network=False), 9, (0, 4096, 3, flags))
    assert uncounted == (REFUSE | errno.EPERM if flags & 0x20 and flags & 0x01 else ALLOW)
    assert decide(FILTER, 9, (0, 4096, 3, flags)) == ALLOW


def test_the_filter_fits() -> None:
    assert len(FILTER) % 8 == 0
    assert len(FILTER) // 8 <= 4096


@pytest.mark.parametrize("family", range(50))
def test_a_way_out_lets_in_two_families_of_sockets_and_no_other(family: int) -> None:
    inside, outwards = (filter_of(memfd=True, network=network) for network in (False, True))
    assert (decide(inside, SOCKET, (family,)) == ALLOW) == (family == 1)
    assert (decide(outwards, SOCKET, (family,)) == ALLOW) == (family in (1, 2, 10))
