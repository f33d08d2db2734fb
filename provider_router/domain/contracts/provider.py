"""Providers: who serves models, where, and with which keys."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import urlsplit


class ProviderType(StrEnum):
    """The dialect that a provider speaks."""

    LOCAL = "local"
    OPENAI_COMPATIBLE = "openai_compatible"
    ANTHROPIC = "anthropic"
    OPENAI_RESPONSES = "openai_responses"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Limits a minute; 0 for none. Tokens are those of prompt and answer."""

    requests_per_minute: int = 0
    tokens_per_minute: int = 0


@dataclass(frozen=True, slots=True)
class Deployment:
    """One place where a provider's models are served.

    Attributes:
        name: Unique within the provider.
        chat_url: Base URL of chats, without credentials.
        embed_url: Base URL of embeddings, without credentials.
        key_envs: Environment variables that hold its keys; empty when it needs none. Calls are spread over them.
        weight: Share of the calls that it gets, against the other deployments of the provider; at least 1.
        max_in_flight: Calls at once; 0 for no limit of ours.
        rate_limit: Of this deployment alone.
    """

    name: str
    chat_url: str
    embed_url: str
    key_envs: tuple[str, ...] = ()
    weight: int = 1
    max_in_flight: int = 0
    rate_limit: RateLimit = RateLimit()


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """A provider as it is configured.

    Attributes:
        name: Unique.
        type: Its dialect.
        deployments: At least one, with distinct names.
        max_tokens_parameter: What its API calls the limit of generated tokens.
        rate_limit: Of all its deployments together.
        probe: Whether it may be asked, at no cost, whether it is there.
        is_private: Whether the operator says that it is in a network of its own, where its host's name leads to a
            private address. Without that no name does.
    """

    name: str
    type: ProviderType
    deployments: tuple[Deployment, ...]
    max_tokens_parameter: str = "max_tokens"
    rate_limit: RateLimit = RateLimit()
    probe: bool = True
    is_private: bool = False

    @property
    def needs_key(self) -> bool:
        """Whether a deployment asks for a key. The key of the local models is Nexus's own and does not count."""
        return any(deployment.key_envs for deployment in self.deployments)

    @property
    def key_source(self) -> str:
        """Where its keys come from, for people; any one of several will do."""
        names = dict.fromkeys(name for deployment in self.deployments for name in deployment.key_envs)
        return f"the environment variable {' or '.join(names)}" if names else "the key file of the local models"

    @property
    def is_encrypted(self) -> bool:
        """Whether nobody on the way can read what is sent: it goes over TLS, or stays on this machine."""
        addresses = [urlsplit(url) for each in self.deployments for url in (each.chat_url, each.embed_url)]
        return all(address.scheme == "https" or _is_here(address.hostname or "") for address in addresses)

    def targets(self) -> tuple[Target, ...]:
        """Every deployment with each of its keys, in the configuration's order."""
        return tuple(
            Target(self, deployment, key_env)
            for deployment in self.deployments
            for key_env in deployment.key_envs or ("",)
        )


@dataclass(frozen=True, slots=True)
class Target:
    """Where one attempt goes: a deployment and one of its keys.

    Attributes:
        provider: The provider.
        deployment: One of its deployments.
        key_env: The environment variable of the key; empty where none is needed or the key is the local models'.
    """

    provider: ProviderSpec
    deployment: Deployment
    key_env: str = ""


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
