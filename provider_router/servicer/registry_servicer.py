"""Serves `nexus.router.v1.RegistryService`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc

from protos.gen.nexus.router.v1 import contract_pb2 as pb
from protos.gen.nexus.router.v1 import contract_pb2_grpc
from provider_router.domain.contracts.listed_contract import ListedContract
from provider_router.domain.contracts.registry_change import Removal
from provider_router.domain.contracts.service import RegistrySnapshot
from provider_router.servicer.convert_contract import contract_message, contract_of
from provider_router.use_cases.deregister_contract import DeregisterContract
from provider_router.use_cases.list_contracts import ListContracts
from provider_router.use_cases.register_contract import RegisterContract
from provider_router.use_cases.update_contract import UpdateContract
from provider_router.use_cases.watch_contracts import WatchContracts
from shared.auth.context import current_principal

_Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class RegistryUseCases:
    """What the servicer needs."""

    register: RegisterContract
    update: UpdateContract
    deregister: DeregisterContract
    listed: ListContracts
    watch: WatchContracts


class RegistryServicer(contract_pb2_grpc.RegistryServiceServicer):
    """Converts between the contract and the use cases; organisations are those of the callers, never of requests."""

    def __init__(self, use_cases: RegistryUseCases) -> None:
        self._use_cases = use_cases

    async def RegisterContract(
        self, request: pb.RegisterContractRequest, context: _Context
    ) -> pb.RegisterContractResponse:
        """Registers a contract."""
        org_id = current_principal().org_id
        made = await self._use_cases.register(contract_of(request.contract, org_id), request.request_id)
        return pb.RegisterContractResponse(
            contract=contract_message(made.contract), registry_version=made.registry_version
        )

    async def UpdateContract(self, request: pb.UpdateContractRequest, context: _Context) -> pb.UpdateContractResponse:
        """Replaces a contract."""
        org_id = current_principal().org_id
        made = await self._use_cases.update(contract_of(request.contract, org_id), request.request_id)
        return pb.UpdateContractResponse(
            contract=contract_message(made.contract), registry_version=made.registry_version
        )

    async def DeregisterContract(
        self, request: pb.DeregisterContractRequest, context: _Context
    ) -> pb.DeregisterContractResponse:
        """Removes a contract."""
        org_id = current_principal().org_id
        version = await self._use_cases.deregister(Removal(org_id, request.name, request.request_id))
        return pb.DeregisterContractResponse(registry_version=version)

    async def GetContract(self, request: pb.GetContractRequest, context: _Context) -> pb.GetContractResponse:
        """Returns one contract."""
        listed = self._use_cases.listed.one(current_principal().org_id, request.name)
        return pb.GetContractResponse(contract=_listed(listed))

    async def ListContracts(self, request: pb.ListContractsRequest, context: _Context) -> pb.ListContractsResponse:
        """Lists contracts by name."""
        page = self._use_cases.listed(current_principal().org_id, request.page_size, request.page_token)
        return pb.ListContractsResponse(
            contracts=[_listed(listed) for listed in page.contracts],
            next_page_token=page.next_token,
            registry_version=page.registry_version,
        )

    async def WatchContracts(
        self, request: pb.WatchContractsRequest, context: _Context
    ) -> AsyncGenerator[pb.WatchContractsResponse, None]:
        """Streams the registry, now and after every change."""
        watched = self._use_cases.watch(current_principal().org_id, request.after_version)
        async with aclosing(watched) as snapshots:
            async for snapshot in snapshots:
                yield _snapshot(snapshot)


def _listed(listed: ListedContract) -> pb.RegisteredContract:
    measured = listed.observed.measured
    return pb.RegisteredContract(
        contract=contract_message(listed.contract),
        measured=pb.Measured(
            calls=measured.calls,
            success_ppm=measured.success_ppm,
            first_token_p50_ms=measured.first_token_p50_ms,
            first_token_p95_ms=measured.first_token_p95_ms,
            tokens_per_second=measured.tokens_per_second,
        ),
        broken_promises=listed.observed.broken_promises,
        from_file=listed.from_file,
        suspended_reason=listed.suspended_reason,
    )


def _snapshot(snapshot: RegistrySnapshot) -> pb.WatchContractsResponse:
    message = pb.WatchContractsResponse(
        registry_version=snapshot.version,
        contracts=[contract_message(service.contract) for service in snapshot.services.values()],
    )
    if snapshot.change_time is not None:
        message.change_time.FromDatetime(snapshot.change_time)
    return message
