"""Step 4, security: whether a service may see the request's data.

Services of other organisations are no part of the field at all (`field.py`): not even their names are recorded. Whether
a service is configured, that is, has the key that its provider asks for, is state, and checked in `standing.py`.
"""

from __future__ import annotations

from provider_router.domain.contracts.contract import Contract
from provider_router.domain.decisions.decision import Rejected, Rejection, Step
from provider_router.domain.decisions.route_request import RouteRequest


def withheld(contract: Contract, request: RouteRequest) -> Rejection | None:
    """Why the service may not see the request's data; None when it may. A region that is not known is no region."""
    privacy = contract.privacy
    if request.data_class > privacy.clearance:
        detail = f"cleared for {privacy.clearance.name.lower()}"
        return Rejection(contract.name, Step.SECURITY, Rejected.CLEARANCE, detail)
    if request.residency and not (privacy.regions and privacy.regions <= request.residency):
        where = ", ".join(sorted(privacy.regions)) or "a place that its contract does not name"
        return Rejection(contract.name, Step.SECURITY, Rejected.RESIDENCY, f"processes data in {where}")
    return None


def unconfigured(name: str, *, refused: bool) -> Rejection:
    """The rejection of a service whose key is not there, or was refused."""
    if refused:
        return Rejection(name, Step.SECURITY, Rejected.KEY_REFUSED, "its provider refused its key")
    return Rejection(name, Step.SECURITY, Rejected.NOT_CONFIGURED, "the key that its provider asks for is not there")
