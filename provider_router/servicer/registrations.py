"""The RPC families of the router."""

from __future__ import annotations

from protos.gen.nexus.router.v1 import (
    contract_pb2,
    contract_pb2_grpc,
    decision_pb2,
    decision_pb2_grpc,
    ledger_pb2,
    ledger_pb2_grpc,
    router_pb2,
    router_pb2_grpc,
)
from provider_router.servicer.decision_servicer import DecisionServicer, DecisionUseCases
from provider_router.servicer.ledger_servicer import LedgerServicer, LedgerUseCases
from provider_router.servicer.registry_servicer import RegistryServicer, RegistryUseCases
from provider_router.servicer.router_servicer import RouterServicer, RouterUseCases
from shared.server import Registration


def registrations(
    router: RouterUseCases, registry: RegistryUseCases, decisions: DecisionUseCases, ledger: LedgerUseCases
) -> list[Registration]:
    """One registration for each family."""
    return [
        Registration(
            router_pb2_grpc.add_RouterServiceServicer_to_server,
            RouterServicer(router),
            router_pb2.DESCRIPTOR.services_by_name["RouterService"],
        ),
        Registration(
            contract_pb2_grpc.add_RegistryServiceServicer_to_server,
            RegistryServicer(registry),
            contract_pb2.DESCRIPTOR.services_by_name["RegistryService"],
        ),
        Registration(
            decision_pb2_grpc.add_DecisionServiceServicer_to_server,
            DecisionServicer(decisions),
            decision_pb2.DESCRIPTOR.services_by_name["DecisionService"],
        ),
        Registration(
            ledger_pb2_grpc.add_LedgerServiceServicer_to_server,
            LedgerServicer(ledger),
            ledger_pb2.DESCRIPTOR.services_by_name["LedgerService"],
        ),
    ]
