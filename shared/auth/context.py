"""The principal of the work at hand, carried by a context variable through a request and its tasks."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from shared.auth.principal import Principal
from shared.errors import Unauthenticated

_current: ContextVar[Principal | None] = ContextVar("nexus_principal", default=None)


def current_principal() -> Principal:
    """Return the principal of the work at hand.

    Raises:
        Unauthenticated: when the work is nobody's, which is a defect of the caller.
    """
    principal = _current.get()
    if principal is None:
        raise Unauthenticated("NO_PRINCIPAL", "Nobody is named as the caller.")
    return principal


def principal_or_none() -> Principal | None:
    """Return the principal of the work at hand, or None."""
    return _current.get()


@contextmanager
def acting_as(principal: Principal | None) -> Generator[None, None, None]:
    """Do the work inside on behalf of `principal`; calls to other services carry it."""
    token = _current.set(principal)
    try:
        yield
    finally:
        _current.reset(token)
