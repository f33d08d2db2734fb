"""Assembles the system-call filter: classic BPF, 8 bytes an instruction, as seccomp(2) takes it."""

from __future__ import annotations

import errno
from functools import cache

from sandbox_service.adapters.launcher import syscalls_x86_64 as calls

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_JUMP_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_JUMP_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K

_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000

_NUMBER_OFFSET = 0
_ARCH_OFFSET = 4
_ARGUMENTS_OFFSET = 16


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return code.to_bytes(2, "little") + bytes((if_true, if_false)) + value.to_bytes(4, "little")


def _return_for(number: int, action: int) -> bytes:
    return _instruction(_JUMP_EQUAL, number, 0, 1) + _instruction(_RETURN, action)


def _argument_check(number: int, argument: int, mask: int, values: tuple[int, ...], error: int) -> bytes:
    """Return the check of one call. Only an argument's low 32 bits are looked at: the kernel reads no more of them."""
    body = _instruction(_LOAD, _ARGUMENTS_OFFSET + 8 * argument) + _instruction(_AND, mask)
    body += b"".join(_return_for(value, _ALLOW) for value in values)
    body += _instruction(_RETURN, _ERRNO | error)
    return _instruction(_JUMP_EQUAL, number, 0, len(body) // 8) + body


@cache
def filter_of(*, memfd: bool, network: bool) -> bytes:
    """Return the filter of a program on x86_64.

    Args:
        memfd: whether memory is allowed that only a control group counts: memfd_create, shared memory without a file.
        network: whether sockets of IP are, which reach nothing but the sandbox's own loopback.
    """
    # A program that switches to another calling convention would be judged by the wrong numbers: it dies.
    head = (
        _instruction(_LOAD, _ARCH_OFFSET)
        + _instruction(_JUMP_EQUAL, calls.AUDIT_ARCH, 1, 0)
        + _instruction(_RETURN, _KILL_PROCESS)
        + _instruction(_LOAD, _NUMBER_OFFSET)
        + _instruction(_JUMP_AT_LEAST, calls.X32_BIT, 0, 1)
        + _instruction(_RETURN, _KILL_PROCESS)
    )
    allowed = calls.ALLOWED | {calls.MEMFD_CREATE} if memfd else calls.ALLOWED - {calls.MMAP[0]}
    rules = (*calls.CONDITIONAL, calls.SOCKETS[network], *(() if memfd else (calls.MMAP,)))
    return b"".join(
        (
            head,
            *(_return_for(number, _ALLOW) for number in sorted(allowed)),
            *(_argument_check(*rule) for rule in rules),
            *(_return_for(number, _ERRNO | errno.EPERM) for number in sorted(calls.REFUSED)),
            _instruction(_RETURN, _ERRNO | errno.ENOSYS),
        )
    )
