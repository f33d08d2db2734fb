"""Who may do what: reading is for viewers, what costs work or money is not."""

from __future__ import annotations

import pytest

from protos.gen.nexus.options.v1 import options_pb2
from protos.gen.nexus.router.v1 import contract_pb2, decision_pb2, ledger_pb2, router_pb2

FILES = (router_pb2, contract_pb2, decision_pb2, ledger_pb2)
OF_VIEWERS = {"models.read", "providers.read", "decisions.read", "usage.read"}
AT_WORK = {
    "ChatCompletion",
    "StreamChatCompletion",
    "Embed",
    "ExplainRoute",
    # A hundred thousand decisions, by rules that the caller writes.
    "ReplayDecisions",
    "ReportOutcome",
    "RegisterContract",
    "UpdateContract",
    "DeregisterContract",
    "InvalidateCache",
}


def permissions() -> dict[str, str]:
    services = [service for file in FILES for service in file.DESCRIPTOR.services_by_name.values()]
    methods = [method for service in services for method in service.methods]
    return {method.name: method.GetOptions().Extensions[options_pb2.permission] for method in methods}


@pytest.mark.parametrize("method", sorted(AT_WORK))
def test_viewers_put_the_router_to_no_work(method: str) -> None:
    assert permissions()[method] not in OF_VIEWERS


def test_every_other_method_is_for_viewers() -> None:
    assert {method for method, permission in permissions().items() if permission not in OF_VIEWERS} == AT_WORK
