"""Who calls, as the router knows them."""

from __future__ import annotations

from provider_router.domain.decisions.route_request import Caller
from shared.auth.context import current_principal
from shared.auth.principal import Principal


def current_caller() -> Caller:
    """The caller of the call at hand.

    Raises:
        Unauthenticated: When the work is nobody's, which is a defect of the server.
    """
    return caller_of(current_principal())


def caller_of(principal: Principal) -> Caller:
    """`principal` as the router knows it; roles in order, so that the same caller is always the same."""
    return Caller(principal.org_id, principal.user_id, principal.key_id, tuple(sorted(principal.roles)))
