"""Each thing that a canary must not be able to do is noticed when it can."""

from __future__ import annotations

import copy
import errno
from typing import Any

import pytest

from sandbox_service.adapters.namespaces.canary import PROCESSES, layers_of, memory_layer
from sandbox_service.domain.outcome import Status

NONE = "0000000000000000"
HOST = {"net": "net:[1]", "pid": "pid:[1]"}
GOOD: dict[str, Any] = {
    "ids": [1000] * 6,
    "status": {"NoNewPrivs": "1", "Seccomp": "2"}
    | dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), NONE),
    "uid_map": ["1000", "1314390016", "1"],
    "processes": [2],
    "pid": 2,
    "visible": [],
    "root_write": errno.EROFS,
    "library_write": errno.EROFS,
    "sysctl_write": errno.ENOENT,
    "workspace_write": 0,
    "tcp": errno.EACCES,
    "udp": errno.EACCES,
    "netlink": errno.EACCES,
    "mount": errno.EPERM,
    "unshare": errno.EPERM,
    "keyctl": errno.EPERM,
    "namespaces": {"net": "net:[2]", "pid": "pid:[2]"},
    "root_flags": 1,
    "rlimits": [1, 2, 3],
    "environment": ["HOME", "LANG", "PATH"],
    "hostname": "sandbox",
    "forks": PROCESSES - 1,
}


def missing(facts: dict[str, Any]) -> list[str]:
    return [layer.name for layer in layers_of(facts, HOST, is_root=True) if not layer.enforced]


def test_a_contained_canary_shows_every_layer() -> None:
    assert missing(GOOD) == []


@pytest.mark.parametrize(
    ("fact", "value", "layer"),
    [
        ("ids", [1000, 0, 1000, 1000, 1000, 1000], "user"),
        ("ids", [1000, 1000, 1000, 1000, 0, 1000], "user"),
        ("uid_map", ["0", "0", "4294967295"], "user_namespace"),
        ("processes", [1, 2], "processes"),
        ("visible", ["/etc/shadow"], "file_system"),
        ("root_write", 0, "file_system"),
        ("library_write", 0, "file_system"),
        ("sysctl_write", 0, "file_system"),
        ("root_flags", 0, "file_system"),
        ("workspace_write", errno.EACCES, "workspace"),
        ("tcp", 0, "network"),
        ("udp", errno.ECONNREFUSED, "network"),
        ("netlink", 0, "network"),
        ("mount", 0, "seccomp"),
        ("unshare", 0, "seccomp"),
        ("keyctl", 0, "seccomp"),
        ("namespaces", {"net": "net:[1]", "pid": "pid:[2]"}, "namespaces"),
        ("rlimits", [1, -1, 3], "resource_limits"),
        ("environment", ["HOME", "AWS_SECRET"], "environment"),
        ("hostname", "production-7", "environment"),
        ("forks", PROCESSES, "process_limit"),
        ("forks", 0, "process_limit"),
    ],
)
def test_one_thing_it_can_do_breaks_one_layer(fact: str, value: Any, layer: str) -> None:
    assert missing(GOOD | {fact: value}) == [layer]


@pytest.mark.parametrize(
    ("field", "value", "layer"),
    [
        ("Seccomp", "0", "seccomp"),
        ("NoNewPrivs", "0", "no_new_privileges"),
        ("CapBnd", "000001ffffffffff", "capabilities"),
        ("CapAmb", "0000000000000001", "capabilities"),
    ],
)
def test_the_kernels_own_words_count(field: str, value: str, layer: str) -> None:
    facts = copy.deepcopy(GOOD)
    facts["status"][field] = value
    assert missing(facts) == [layer]
    del facts["status"][field]
    assert missing(facts) == [layer]


@pytest.mark.parametrize("status", list(Status))
def test_only_a_kill_at_the_limit_shows_a_memory_limit(status: Status) -> None:
    assert memory_layer(status, grouped=True).enforced == (status is Status.OUT_OF_MEMORY)
    assert "control group" in memory_layer(status, grouped=False).detail
