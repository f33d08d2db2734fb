"""Fakes of the router's ports and builders of its domain types."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date

from provider_router.domain.calls.call_limits import CallLimits
from provider_router.domain.calls.chat import ChatRequest, FinishReason, Message, Role
from provider_router.domain.calls.embedding import Embeddings
from provider_router.domain.calls.events import Finished, ModelEvent, TextDelta
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import PPM, Capabilities, Contract, Operation, Price, Rates
from provider_router.domain.contracts.provider import Deployment, ProviderSpec, ProviderType, Target
from provider_router.domain.contracts.service import RegistrySnapshot, Service
from provider_router.domain.decisions.service_state import JudgedAnswer, Measured, Reward
from provider_router.domain.errors import Reason, failure
from provider_router.domain.traffic.call_verdict import Verdict, verdict_of
from provider_router.domain.traffic.deployment_status import DeploymentStatus
from provider_router.domain.traffic.lease import CallReport, Lease, Unavailable
from shared.circuit_breaker import Breaker

HELLO = (TextDelta("Hel"), TextDelta("lo"), Finished(FinishReason.STOP, TokenUsage(10, 2)))
QUESTION = ChatRequest((Message(Role.USER, "Hi"),))


def provider_spec(name: str = "one", **changes: object) -> ProviderSpec:
    """A provider with one deployment; `chat_url`, `embed_url` and `key_envs` are that deployment's."""
    url = f"http://{name}.test/v1"
    deployment = {key: changes.pop(key) for key in ("chat_url", "embed_url", "key_envs") if key in changes}
    deployments = (Deployment("default", **{"chat_url": url, "embed_url": url, **deployment}),)
    return ProviderSpec(name, **{"type": ProviderType.OPENAI_COMPATIBLE, "deployments": deployments, **changes})


_CAPABILITIES = {field.name for field in dataclasses.fields(Capabilities)}


def contract_of(name: str = "one/m", *, chat: bool = True, embeddings: bool = False, **changes: object) -> Contract:
    """A contract; capabilities and the other fields of `Contract` may be given by name."""
    operations = {Operation.CHAT: chat, Operation.EMBED: embeddings}
    capabilities = {
        "operations": frozenset(operation for operation, done in operations.items() if done),
        "json_schema": True,
        **{key: changes.pop(key) for key in list(changes) if key in _CAPABILITIES},
    }
    return Contract(name, **{"capabilities": Capabilities(**capabilities), **changes})


def service_of(name: str = "one/m", *, provider: ProviderSpec | None = None, **changes: object) -> Service:
    """A service; `changes` are those of `contract_of`."""
    return Service(contract_of(name, **changes), provider or provider_spec(name.partition("/")[0]))


def target_of(service: Service) -> Target:
    """The service's first deployment with its first key."""
    return service.provider.targets()[0]


def price_of(input_: int, output: int = 0, **changes: object) -> tuple[Price, ...]:
    """One price, in force for ever; rates in millionths of a US dollar per million tokens."""
    return (Price(date(2020, 1, 1), Rates(input_, output, **changes)),)


def snapshot_of(
    *services: Service, chain: Sequence[str] | None = None, embed: str = "", **changes: object
) -> RegistrySnapshot:
    """A snapshot with its digest; the chain is all chat services in the given order unless it is given."""
    chat_chain = [service.name for service in services if service.does(Operation.CHAT)] if chain is None else chain
    by_name = {service.name: service for service in sorted(services, key=lambda service: service.name)}
    return RegistrySnapshot(
        services=by_name,
        providers={service.provider.name: service.provider for service in services},
        chat_chain=tuple(chat_chain),
        embed_model=embed,
        **{"version": 1, **changes},
    )


class FakeRegistry:
    """Gives out one snapshot; set `snapshot` to change it."""

    def __init__(self, snapshot: RegistrySnapshot, config_version: str = "v1") -> None:
        self.snapshot = dataclasses.replace(snapshot, config_version=config_version)

    def current(self, org_id: str = "") -> RegistrySnapshot:
        return self.snapshot

    def everything(self) -> RegistrySnapshot:
        return self.snapshot


@dataclass
class FakeChatModel:
    """Streams `events`; an exception among them is raised, `...` hangs for ever."""

    events: Sequence[object] = HELLO
    asked: list[ChatRequest] = field(default_factory=list)
    open_streams: int = 0
    limits: list[CallLimits | None] = field(default_factory=list)

    async def stream(self, request: ChatRequest, limits: CallLimits | None = None) -> AsyncGenerator[ModelEvent, None]:
        self.asked.append(request)
        self.limits.append(limits)
        self.open_streams += 1
        try:
            for event in self.events:
                if isinstance(event, Exception):
                    raise event
                if event is ...:
                    await asyncio.Event().wait()
                yield event
        finally:
            self.open_streams -= 1


@dataclass
class FakeEmbeddingModel:
    error: Exception | None = None

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        if self.error is not None:
            raise self.error
        return Embeddings(tuple((0.6, 0.8) for _ in texts), TokenUsage(len(texts)))


class FakeModelSource:
    """Has the models that it was given, by full name; the others lack their key."""

    def __init__(
        self, chat: dict[str, FakeChatModel] | None = None, embed: dict[str, FakeEmbeddingModel] | None = None
    ) -> None:
        self.chat = chat or {}
        self.embed = embed or {}
        self.targets: list[Target] = []

    def chat_model(self, service: Service, target: Target) -> FakeChatModel:
        return self._of(self.chat, service, target)

    def embedding_model(self, service: Service, target: Target) -> FakeEmbeddingModel:
        return self._of(self.embed, service, target)

    def is_configured(self, provider: ProviderSpec) -> bool:
        return any(name.startswith(f"{provider.name}/") for name in [*self.chat, *self.embed])

    def _of(self, models, service, target):
        self.targets.append(target)
        if service.name not in models:
            raise failure(Reason.PROVIDER_NOT_CONFIGURED, f"The provider '{service.provider.name}' needs a key.")
        return models[service.name]


class FakeRewards:
    """Keeps rewards in memory."""

    def __init__(self) -> None:
        self._rewards: dict[str, dict[str, dict[str, Reward]]] = {}
        self._judged: dict[tuple[str, str], JudgedAnswer] = {}

    def of(self, org_id: str):
        return self._rewards.setdefault(org_id, {})

    async def add(self, org_id: str, decision_id: str, service: str, task_class: str, reward_ppm: int) -> bool:
        if (org_id, decision_id) in self._judged:
            return False
        self._judged[org_id, decision_id] = JudgedAnswer(service, reward_ppm)
        services = self.of(org_id)
        tasks = services.get(service, {})
        reward = tasks.get(task_class, Reward())
        added = Reward(reward.count + 1, reward.total_ppm + reward_ppm)
        self._rewards[org_id] = {**services, service: {**tasks, task_class: added}}
        return True

    async def outcomes(self, org_id: str, decision_ids):
        return {each: self._judged[org_id, each] for each in decision_ids if (org_id, each) in self._judged}


class FakeCredentials:
    """Has the keys that it was given, by environment variable; a target without a variable needs none."""

    def __init__(self, **keys: str | None) -> None:
        self.keys: dict[str, str | None] = {"": "", **keys}

    def key_of(self, target: Target) -> str | None:
        return self.keys.get(target.key_env)


class FakeDeployments:
    """Lends the first target that was not tried. Time stands still: what is closed stays closed until `heal`."""

    FAILURES = 5

    def __init__(self, credentials: FakeCredentials | None = None) -> None:
        self.credentials = credentials or FakeCredentials()
        self.unavailable: dict[str, Unavailable] = {}
        self.out: list[Lease] = []
        self.reports: list[tuple[Lease, CallReport]] = []
        self._closed: dict[tuple[str, str, str], Reason] = {}
        self._failures: dict[tuple[str, str], int] = {}

    def heal(self) -> None:
        self._closed.clear()
        self._failures.clear()

    def acquire(self, service: Service, tried: Collection[Target] = ()) -> Lease | Unavailable:
        if service.name in self.unavailable:
            return self.unavailable[service.name]
        names = {target.deployment.name for target in tried}
        targets = sorted(service.provider.targets(), key=lambda t: (t.deployment.name in names, t in tried))
        obstacles = [self._obstacle(service.name, target) for target in targets]
        for target, obstacle in zip(targets, obstacles, strict=True):
            if obstacle is None:
                self.out.append(Lease(service.name, target))
                return self.out[-1]
        return Unavailable(obstacles[0])

    def _obstacle(self, name: str, target: Target) -> Reason | None:
        if self.credentials.key_of(target) is None:
            return Reason.PROVIDER_NOT_CONFIGURED
        if self._failures.get((name, target.deployment.name), 0) >= self.FAILURES:
            return Reason.CIRCUIT_OPEN
        busy = sum(lease.target.deployment == target.deployment for lease in self.out)
        if 0 < target.deployment.max_in_flight <= busy:
            return Reason.DEPLOYMENTS_BUSY
        return self._closed.get((name, target.deployment.name, target.key_env))

    def release(self, lease: Lease, report: CallReport) -> None:
        held = next((index for index, each in enumerate(self.out) if each is lease), None)
        if held is None:
            return
        self.out.pop(held)
        self.reports.append((lease, report))
        name, deployment = lease.service, lease.target.deployment.name
        match verdict_of(report):
            case Verdict.GOOD:
                self._failures[name, deployment] = 0
            case Verdict.FAULT:
                self._failures[name, deployment] = self._failures.get((name, deployment), 0) + 1
            case Verdict.LIMITED | Verdict.REFUSED:
                self._closed[name, deployment, lease.target.key_env] = report.reason

    def statuses(self, snapshot: RegistrySnapshot) -> list[DeploymentStatus]:
        return [
            self._status(service, deployment)
            for provider in snapshot.providers
            for service in snapshot.services.values()
            if service.provider.name == provider
            for deployment in service.provider.deployments
        ]

    def _status(self, service: Service, deployment: Deployment) -> DeploymentStatus:
        targets = [target for target in service.provider.targets() if target.deployment == deployment]
        keys = [self.credentials.key_of(target) for target in targets]
        refused = [self._closed.get((service.name, deployment.name, t.key_env)) for t in targets]
        calls = [
            r for lease, r in self.reports if (lease.service, lease.target.deployment) == (service.name, deployment)
        ]
        finished = [report for report in calls if report.finished]
        counted = [verdict for r in calls if (verdict := verdict_of(r)) in (Verdict.GOOD, Verdict.FAULT)]
        failures = self._failures.get((service.name, deployment.name), 0)
        return DeploymentStatus(
            service=service.name,
            deployment=deployment.name,
            breaker=Breaker.OPEN if failures >= self.FAILURES else Breaker.CLOSED,
            paused_until=None,
            in_flight=sum((x.service, x.target.deployment) == (service.name, deployment) for x in self.out),
            measured=Measured(len(counted), counted.count(Verdict.GOOD) * PPM // max(1, len(counted))),
            broken_promises=(),
            usable_keys=sum(
                bool(key) and why is not Reason.PROVIDER_REFUSED_KEY for key, why in zip(keys, refused, strict=True)
            ),
            configured_keys=sum(key != "" for key in keys),
            last_error_reason=(finished[-1].reason or "") if finished else "",
            missing_keys=keys.count(None),
        )
