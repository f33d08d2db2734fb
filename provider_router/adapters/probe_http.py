"""One probe: asks for a deployment's list of models. It calls no model and costs nothing."""

from __future__ import annotations

from prometheus_client import Counter

from provider_router.adapters.http.call import HttpCall
from provider_router.adapters.http.client import HttpClient
from provider_router.domain.contracts.contract import Operation
from provider_router.domain.contracts.provider import ProviderType, Target
from provider_router.domain.contracts.service import Service
from provider_router.domain.errors import Reason
from provider_router.ports.credentials import Credentials
from shared.errors import NexusError

_PROBES = Counter("nexus_router_probes_total", "Probes by outcome.", ("provider", "deployment", "outcome"))
_ANTHROPIC_VERSION = "2023-06-01"


def address_of(service: Service, target: Target) -> str:
    """The base URL at which `service` is called."""
    deployment = target.deployment
    return deployment.chat_url if service.does(Operation.CHAT) else deployment.embed_url


class HttpProbe:
    """Sends probes.

    Args:
        client: The router's own, with all its bounds: it follows no redirect and uses no proxy.
        credentials: Keys.
        timeout_s: For an answer.
    """

    def __init__(self, client: HttpClient, credentials: Credentials, timeout_s: float = 5.0) -> None:
        self._client = client
        self._credentials = credentials
        self._timeout_s = timeout_s

    async def send(self, service: Service, target: Target) -> Reason | None:
        """Asks whether the address of `service` at `target` is there; returns why not, None for a good answer."""
        call = _call(service, target, self._credentials.key_of(target) or "")
        reason: Reason | None = None
        try:
            await self._client.get(call, self._timeout_s)
        except NexusError as error:
            reason = Reason(error.reason)
        _PROBES.labels(target.provider.name, target.deployment.name, reason.value if reason else "answered").inc()
        return reason


def _call(service: Service, target: Target, key: str) -> HttpCall:
    provider, url = target.provider, address_of(service, target)
    if provider.type is ProviderType.ANTHROPIC:
        headers = {"anthropic-version": _ANTHROPIC_VERSION} | ({"x-api-key": key} if key else {})
        url = f"{url.removesuffix('/v1')}/v1/models"
        return HttpCall(provider.name, url, headers, is_private=provider.is_private)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return HttpCall(provider.name, f"{url}/models", headers, is_private=provider.is_private)
