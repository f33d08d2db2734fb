"""Settings of the provider router. The only file of this package that reads the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, create_model
from pydantic_settings import BaseSettings, SettingsConfigDict

from provider_router.adapters.health_prober import ProbePolicy
from provider_router.adapters.http.limits import HttpLimits
from provider_router.domain.cache.cached_answer import CacheBounds
from provider_router.domain.contracts.provider import ProviderType, Target
from provider_router.domain.traffic.station import HealthPolicy
from provider_router.servicer.http.edge_settings import EdgeSettings
from provider_router.use_cases.answer_from_cache import CacheLimits
from shared.circuit_breaker import BreakerPolicy
from shared.http_server.limits import Limits
from shared.settings import ServiceSettings
from shared.telemetry.tracing import Sampling


def _with_version(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a http or https address")
    return value.rstrip("/") if parts.path.strip("/") else f"{value.rstrip('/')}/v1"


def _host_and_port(value: str) -> str:
    host, _, port = value.rpartition(":")
    if value and not (host and port.isdecimal() and int(port) <= 65535):
        raise ValueError("must be host:port, or empty")
    return value


LocalUrl = Annotated[str, AfterValidator(_with_version)]
HttpAddress = Annotated[str, AfterValidator(_host_and_port)]
_MB = 1024 * 1024


class Settings(ServiceSettings):
    """Settings of the router, read from `NEXUS_ROUTER_*`."""

    model_config = SettingsConfigDict(env_prefix="NEXUS_ROUTER_", frozen=True)

    providers_file: Path = Field(default=Path("config/providers.yaml"), description="Which providers there are.")
    reload_s: float = Field(default=0.5, gt=0, le=3600, description="Seconds between two looks at the providers file.")
    local_chat_url: LocalUrl = Field(
        default="http://127.0.0.1:50061/v1", description="Base URL of the local chat model."
    )
    local_embed_url: LocalUrl = Field(
        default="http://127.0.0.1:50062/v1", description="Base URL of the local embedding model."
    )
    local_key_file: Path | None = Field(
        default=None, description="File with the key of the local models; none where they need no key."
    )
    connect_timeout_s: float = Field(default=5, gt=0, le=300, description="Until a connection stands.")
    first_token_timeout_s: float = Field(default=60, gt=0, le=3600, description="Until the first piece of an answer.")
    idle_timeout_s: float = Field(default=30, gt=0, le=3600, description="Between two pieces of an answer.")
    total_timeout_s: float = Field(default=300, gt=0, le=86400, description="For a whole answer.")
    embed_timeout_s: float = Field(default=60, gt=0, le=3600, description="For a whole embedding call.")
    connections_per_host: int = Field(
        default=1000, ge=1, le=10_000, description="Connections at once to one host; more calls wait."
    )
    breaker_failures: int = Field(default=5, ge=1, le=1000, description="Failures in a row that open a breaker.")
    breaker_open_s: float = Field(
        default=5, gt=0, le=3600, description="How long a breaker stays open at first; doubles with each failed trial."
    )
    breaker_open_cap_s: float = Field(default=120, gt=0, le=86400, description="The longest time it stays open.")
    probe_s: float = Field(
        default=5, ge=0, le=3600, description="Before a failing deployment is probed; each next wait doubles. 0: never."
    )
    shared_rate_limits: bool = Field(
        default=True,
        description="Whether all routers on one database share rate limits; a router alone saves the writes without.",
    )
    shared_cache: bool = Field(
        default=True,
        description="Whether all routers on one database share cached answers; else each keeps them in its memory.",
    )
    survives_power_cuts: bool = Field(
        default=False,
        description="Whether each write is on the disk before its call goes on, at some milliseconds for each call.",
    )
    decisions_kept_days: int = Field(
        default=90, ge=1, le=36_500, description="Days that records of decisions are kept."
    )
    decisions_kept: int = Field(
        default=1_000_000, ge=1, description="Records of decisions that are kept for each organisation."
    )
    estimate_timeout_s: float = Field(
        default=0.045, gt=0, le=0.05, description="For the vector of a request whose task is estimated; then features."
    )
    cache_embed_timeout_s: float = Field(
        default=0.25, gt=0, le=10, description="For the vector of a request that may find an answer of its meaning."
    )
    cache_entries: int = Field(default=50_000, ge=1, description="Answers in the cache, of all organisations together.")
    cache_bytes: int = Field(default=256 * 1024 * 1024, ge=1, description="Bytes of the answers in the cache.")
    cache_entry_bytes: int = Field(default=1024 * 1024, ge=1, description="Bytes of one cached answer.")
    cache_max_age_s: float = Field(
        default=86_400, gt=0, le=31_536_000, description="The oldest answer that the cache gives, and keeps."
    )
    cache_min_similarity_ppm: int = Field(
        default=950_000, ge=0, le=1_000_000, description="Least cosine of a semantic hit for callers who do not say."
    )
    cache_least_similarity_ppm: int = Field(
        default=900_000, ge=0, le=1_000_000, description="The least that callers may ask for."
    )

    http_listen: HttpAddress = Field(
        default="127.0.0.1:8055", description="Address of the HTTP surfaces; empty for none."
    )
    http_shared_port: bool = Field(
        default=False, description="Whether further routers listen at that address, and share its connections."
    )
    http_body_mb: int = Field(default=32, ge=1, le=1024, description="Megabytes of one request's body.")
    http_bodies_mb: int = Field(
        default=256, ge=1, le=65_536, description="Megabytes of all bodies that are read, and of answers that wait."
    )
    http_connections: int = Field(default=10_000, ge=1, le=1_000_000, description="Connections at once.")
    http_connections_per_peer: int = Field(
        default=0, ge=0, le=1_000_000, description="Of these from one address; 0 for no limit, as behind a proxy."
    )
    http_calls_per_key: int = Field(
        default=2000, ge=1, le=1_000_000, description="Calls that one API key may have open at this router."
    )
    http_key_mb: int = Field(
        default=64, ge=1, le=65_536, description="Megabytes of the bodies of one API key's open calls."
    )
    http_heartbeat_s: float = Field(
        default=15, gt=0, le=3600, description="Silence after which a stream shows that it is alive."
    )

    @property
    def http(self) -> EdgeSettings | None:
        """How the HTTP surfaces are served; None where they are not."""
        if not self.http_listen:
            return None
        host, _, port = self.http_listen.rpartition(":")
        return EdgeSettings(
            host=host.strip("[]"),
            port=int(port),
            shared_port=self.http_shared_port,
            body_bytes=self.http_body_mb * _MB,
            calls_per_key=self.http_calls_per_key,
            bytes_per_key=self.http_key_mb * _MB,
            heartbeat_s=self.http_heartbeat_s,
            sampling=Sampling(self.otlp_endpoint, self.trace_ratio),
            limits=Limits(
                bodies_bytes=max(self.http_bodies_mb, self.http_body_mb) * _MB,
                unread_bytes=max(self.http_bodies_mb, self.http_body_mb) * _MB,
                connections=self.http_connections,
                connections_per_peer=self.http_connections_per_peer,
            ),
        )

    @property
    def limits(self) -> HttpLimits:
        """Limits of one call to a provider."""
        return HttpLimits(
            connect_s=self.connect_timeout_s,
            first_token_s=self.first_token_timeout_s,
            idle_s=self.idle_timeout_s,
            total_s=self.total_timeout_s,
            embed_s=self.embed_timeout_s,
            connections_per_host=self.connections_per_host,
        )

    @property
    def cache_bounds(self) -> CacheBounds:
        """How much the cache keeps."""
        return CacheBounds(
            entries=self.cache_entries,
            bytes=self.cache_bytes,
            entry_bytes=self.cache_entry_bytes,
            keep_s=self.cache_max_age_s,
        )

    @property
    def cache_limits(self) -> CacheLimits:
        """What is taken from the cache."""
        return CacheLimits(
            max_age_s=self.cache_max_age_s,
            min_similarity_ppm=self.cache_min_similarity_ppm,
            least_similarity_ppm=self.cache_least_similarity_ppm,
            answer_chars=self.cache_entry_bytes,
        )

    @property
    def health(self) -> HealthPolicy:
        """When breakers open, and for how long."""
        breaker = BreakerPolicy(
            consecutive_failures=self.breaker_failures,
            open_s=self.breaker_open_s,
            open_cap_s=max(self.breaker_open_s, self.breaker_open_cap_s),
        )
        return HealthPolicy(breaker=breaker)

    @property
    def probes(self) -> ProbePolicy:
        """When deployments are probed."""
        return ProbePolicy(interval_s=self.probe_s, cap_s=max(60.0, self.probe_s))


class _Variable(BaseSettings):
    """One environment variable, exactly as named."""

    model_config = SettingsConfigDict(case_sensitive=True, extra="ignore", frozen=True)

    value: SecretStr = SecretStr("")


class SettingsCredentials:
    """Implements `Credentials`: keys of providers from the environment, the local models' key from its file.

    What was found is kept. A key file that is missing is looked for again at each call, since the local models may
    start later; the environment of a process does not change, so a missing variable is not.
    """

    def __init__(self, local_key_file: Path | None) -> None:
        self._local_key_file = local_key_file
        self._local_key: SecretStr | None = None
        self._variables: dict[str, SecretStr] = {}

    def key_of(self, target: Target) -> str | None:
        """The key of `target`; empty when it needs none, None when it needs one that is not there."""
        if target.provider.type is ProviderType.LOCAL:
            return self._key_of_local_models()
        if not target.key_env:
            return ""
        if target.key_env not in self._variables:
            self._variables[target.key_env] = _from_environment(target.key_env)
        return self._variables[target.key_env].get_secret_value() or None

    def _key_of_local_models(self) -> str | None:
        if self._local_key_file is None:
            return ""
        if self._local_key is None:
            try:
                self._local_key = _usable(self._local_key_file.read_text(encoding="ascii"))
            except (OSError, UnicodeDecodeError):
                return None
        return self._local_key.get_secret_value() or None


def _from_environment(name: str) -> SecretStr:
    field = (SecretStr, Field(default=SecretStr(""), validation_alias=name))
    variable = create_model("Variable", __base__=_Variable, value=field)()
    return _usable(variable.value.get_secret_value())


def _usable(text: str) -> SecretStr:
    """The key in `text`; empty when it has characters that no header may have."""
    key = text.strip()
    return SecretStr(key if key.isascii() and key.isprintable() else "")
