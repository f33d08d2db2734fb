"""Judges what the canary could do in a container."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox_service.adapters.namespaces import canary
from sandbox_service.domain.isolation import IsolationLayer

_NO_CAPABILITY = "0000000000000000"
# Judged otherwise here: a container has no user namespace of its own, and gVisor's /proc knows less of processes.
_REPLACED = frozenset({"user_namespace", "processes"})
_REPLACED_ON_GVISOR = _REPLACED | {"namespaces", "capabilities", "no_new_privileges", "file_system"}


def contained_layers(
    facts: Mapping[str, Any], host_namespaces: Mapping[str, str], *, sees_gvisor: bool
) -> list[IsolationLayer]:
    """Return the layers that the facts show.

    Args:
        facts: what the facts program printed.
        host_namespaces: the service's own namespaces by name.
        sees_gvisor: whether PID 1 has found gVisor's kernel around it.

    Raises:
        KeyError: when a fact is missing.
    """
    replaced = _REPLACED_ON_GVISOR if sees_gvisor else _REPLACED
    layers = [layer for layer in canary.layers_of(facts, host_namespaces, is_root=True) if layer.name not in replaced]
    layers.append(
        IsolationLayer(
            "processes", set(facts["processes"]) <= {1, facts["pid"]}, "it sees its own and PID 1; they end with PID 1"
        )
    )
    return [*_gvisor_layers(facts), *layers] if sees_gvisor else layers


def _gvisor_layers(facts: Mapping[str, Any]) -> list[IsolationLayer]:
    known = {name: value for name, value in facts["status"].items() if name.startswith("Cap")}
    return [
        IsolationLayer("kernel", enforced=True, detail="gVisor's, in user space, between programs and the host's"),
        IsolationLayer(
            "capabilities",
            {"CapEff", "CapPrm", "CapBnd"} <= known.keys() and set(known.values()) == {_NO_CAPABILITY},
            "every set that gVisor has is empty",
        ),
        IsolationLayer("no_new_privileges", facts["no_new_privileges"] == 1, "set-user-id files mean nothing"),
        IsolationLayer(
            "file_system",
            not facts["visible"] and canary.all_refused(facts, "root_write", "library_write", "sysctl_write"),
            "nothing of the host but the interpreter and the image, none of it to write to",
        ),
    ]
