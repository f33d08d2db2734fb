"""Metrics of HTTP servers. What becomes of requests is counted by those who handle them."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

CONNECTIONS = Gauge("nexus_http_server_connections", "Connections open.")
REFUSALS = Counter("nexus_http_server_refusals_total", "Requests and connections refused by the server.", ["reason"])
CUT = Counter("nexus_http_server_stalled_total", "Connections cut because the client did not read.")
DEPARTURES = Counter("nexus_http_server_departures_total", "Clients that left before their reply was whole.")
