"""Judges what the canary programs could do, layer by layer."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox_service.domain.isolation import IsolationLayer
from sandbox_service.domain.outcome import Status
from sandbox_service.domain.program import Language, Program

PROCESSES = 12
"""Process limit under which the facts are gathered."""
MEMORY_LIMIT_BYTES = 64 << 20
"""Limit of the canary that takes too much."""
_REFUSED = {errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOENT}
_ENVIRONMENT = {"HOME", "LANG", "PATH"}
_USER = {
    True: "an unprivileged user of the host that no other organisation has at the time",
    False: "the service's own user, without its groups' files in sight; as root, the service gives each run its own",
}
_NAMESPACES = ("mnt", "pid", "net", "ipc", "uts", "cgroup")
_INFINITY = -1
_NO_CAPABILITY = "0000000000000000"
_CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def own_namespaces() -> dict[str, str]:
    """Return the identities of this process's namespaces by name."""
    return {name: str(Path("/proc/self/ns", name).readlink()) for name in _NAMESPACES}


def facts_program(host_paths: Sequence[Path]) -> Program:
    """Return the program that tries what must not work.

    Args:
        host_paths: paths that exist on the host and must not be seen.
    """
    code = Path(__file__).with_name("canary_program.py").read_text()
    return Program(Language.PYTHON, code, json.dumps({"host_paths": [str(p) for p in host_paths]}).encode())


def memory_program() -> Program:
    """Return the program that takes four times its memory limit."""
    return Program(Language.PYTHON, f"held = b'x' * {4 * MEMORY_LIMIT_BYTES}\nprint(len(held))")


def layers_of(facts: Mapping[str, Any], host_namespaces: Mapping[str, str], *, is_root: bool) -> list[IsolationLayer]:
    """Return the layers that the facts show.

    Args:
        facts: what the facts program printed.
        host_namespaces: the service's own namespaces by name, which a program must not share.
        is_root: whether the service is root on the host.

    Raises:
        KeyError: when a fact is missing.
    """
    return [
        *_privilege_layers(facts, is_root=is_root),
        IsolationLayer(
            "namespaces",
            all(facts["namespaces"].get(name, host) != host for name, host in host_namespaces.items()),
            f"its own: {', '.join(host_namespaces)}",
        ),
        *_surrounding_layers(facts),
        IsolationLayer(
            "resource_limits",
            _INFINITY not in facts["rlimits"],
            "address space, files, descriptors, CPU, no core dumps",
        ),
        IsolationLayer(
            "process_limit", 0 < facts["forks"] < PROCESSES, f"a limit of {PROCESSES} allowed {facts['forks']} more"
        ),
    ]


def _privilege_layers(facts: Mapping[str, Any], *, is_root: bool) -> list[IsolationLayer]:
    """Return the layers around what a program is."""
    status: Mapping[str, str] = facts["status"]
    nested = facts["uid_map"][:1] == ["1000"]
    return [
        IsolationLayer("user", 0 not in facts["ids"], _USER[is_root]),
        IsolationLayer(
            "user_namespace",
            nested,
            "owns none of the other namespaces"
            if nested
            else "refused by this host; the user is unprivileged all the same",
        ),
        IsolationLayer(
            "capabilities",
            all(status.get(name) == _NO_CAPABILITY for name in _CAPABILITY_SETS),
            "every set is empty, the bounding set included",
        ),
        IsolationLayer("no_new_privileges", status.get("NoNewPrivs") == "1", "set-user-id files mean nothing"),
        IsolationLayer(
            "seccomp",
            status.get("Seccomp") == "2" and all_refused(facts, "mount", "unshare", "keyctl"),
            "an allow-list of system calls",
        ),
    ]


def _surrounding_layers(facts: Mapping[str, Any]) -> list[IsolationLayer]:
    """Return the layers around what a program can see and reach."""
    return [
        IsolationLayer(
            "processes",
            facts["processes"] == [facts["pid"]],
            "it sees its own processes only, and they end with it",
        ),
        IsolationLayer(
            "network",
            all_refused(facts, "tcp", "udp", "netlink"),
            "an empty network namespace, and no sockets but local ones",
        ),
        IsolationLayer(
            "file_system",
            not facts["visible"]
            and bool(facts["root_flags"] & os.ST_RDONLY)
            and all_refused(facts, "root_write", "library_write", "sysctl_write"),
            "a read-only root with the interpreter alone",
        ),
        IsolationLayer("workspace", facts["workspace_write"] == 0, "private, in memory, limited in size and files"),
        IsolationLayer(
            "environment",
            set(facts["environment"]) <= _ENVIRONMENT and facts["hostname"] == "sandbox",
            "nothing of the service's environment",
        ),
    ]


def memory_layer(status: Status, *, grouped: bool) -> IsolationLayer:
    """Return the memory layer from how the greedy canary ended."""
    how = (
        "the kernel limits the whole process tree by a control group"
        if grouped
        else "no writable control group: limits a process, and a supervisor that looks 40 times a second"
    )
    return IsolationLayer("memory_limit", status is Status.OUT_OF_MEMORY, how)


def all_refused(facts: Mapping[str, Any], *names: str) -> bool:
    """Return whether the canary was refused all that `names` say."""
    return all(facts[name] in _REFUSED for name in names)
