"""The environment of each process: only what it needs, spelled out."""

from __future__ import annotations

from collections.abc import Mapping

from shared.errors import InvalidInput

# What any program needs. SSL_* let services behind a company's certificate authority reach providers.
_BASIC = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")

_PROCESS = {
    "PYTHONUNBUFFERED": "1",
    "PYTHONUTF8": "1",
    # gRPC's fork handlers crash the child when a process that serves calls starts a program; none of ours forks to
    # go on with gRPC. gRPC reads this when it is imported, so it can only be set from outside.
    "GRPC_ENABLE_FORK_SUPPORT": "0",
    # Two allocation arenas instead of eight a core: less idle memory for processes with many idle threads.
    "MALLOC_ARENA_MAX": "2",
}


def basic_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the part of `inherited` that every process gets, with a UTF-8 locale and unbuffered output."""
    basic = {name: inherited[name] for name in _BASIC if name in inherited}
    basic.setdefault("LANG", "C.UTF-8")
    return basic | _PROCESS


def with_overrides(own: Mapping[str, str], inherited: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return `own` with the user's variables that start with `prefix` added.

    Raises:
        InvalidInput: reason SETTING_OWNED, when the user sets otherwise what the supervisor itself decides.
    """
    overrides = {name: value for name, value in inherited.items() if name.startswith(prefix)}
    owned = sorted(name for name, value in overrides.items() if own.get(name, value) != value)
    if owned:
        raise InvalidInput(
            "SETTING_OWNED",
            f"{', '.join(owned)}: `nexus up` decides this itself. Unset it, or use --data and --port-base.",
        )
    return {**own, **overrides}
