"""The environment of each process: only what it needs, spelled out."""

from __future__ import annotations

from collections.abc import Mapping

from shared.errors import InvalidInput

# What any program needs. SSL_* let services behind a company's certificate authority reach providers.
_BASIC = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")


def basic_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the part of `inherited` that every process gets, with a UTF-8 locale and unbuffered output."""
    basic = {name: inherited[name] for name in _BASIC if name in inherited}
    basic.setdefault("LANG", "C.UTF-8")
    return basic | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}


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
