"""Which requests are looked at: those that call this server by its name, and not from somebody else's web page.

A page that a person visits can have their browser call the loopback, also under a name that its owner points there
(DNS rebinding). What names this server, and where a page may come from, is therefore a closed set.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from gateway.mcp_server.domain.errors import Reason, failure

_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))


class Doors:
    """Lets requests in by the names in their heads.

    Args:
        hosts: What the server may be called, without ports, beside the names of the loopback.
        origins: Of pages that may call, beside those of the loopback; each as browsers send it.
    """

    def __init__(self, hosts: frozenset[str], origins: frozenset[str]) -> None:
        self._hosts = _LOOPBACK | {host.lower() for host in hosts}
        self._origins = {origin.lower() for origin in origins}

    def check(self, headers: Mapping[str, str]) -> None:
        """Check where a request with `headers` comes from, and whom it calls.

        Raises:
            Forbidden: HOST_FORBIDDEN, ORIGIN_FORBIDDEN.
        """
        if _host_of(f"//{headers.get('host', '')}") not in self._hosts:
            raise failure(
                Reason.HOST_FORBIDDEN, "This server is not called so. Its operator names it in NEXUS_MCP_ALLOWED_HOSTS."
            )
        origin = headers.get("origin", "").lower()
        if origin and origin not in self._origins and not _is_local(origin):
            raise failure(
                Reason.ORIGIN_FORBIDDEN,
                "Pages of this origin may not call. The operator allows some in NEXUS_MCP_ALLOWED_ORIGINS.",
            )


def _is_local(origin: str) -> bool:
    return origin.startswith(("http://", "https://")) and _host_of(origin) in _LOOPBACK


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
