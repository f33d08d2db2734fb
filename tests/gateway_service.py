"""The real router with its HTTP surfaces, in the process of the test, for the official clients."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anthropic
import openai
from router_faults import LIMITS, TIMES, Router, empty_database

from protos.gen.nexus.router.v1 import ledger_pb2_grpc, router_pb2_grpc
from provider_router.main import build
from provider_router.servicer.http.edge import HttpEdge
from provider_router.settings import Settings
from shared.clock import SystemClock
from shared.ids import new_id
from shared.server import Dependencies
from shared.testing.harness import principal, serving

KEY = "nxk_test-of-the-gateway"


@dataclass
class GatewayRouter:
    """A gateway, its books, and the official clients, which try nothing twice.

    Attributes:
        url: Of the gateway, without `/v1`.
    """

    url: str
    books: Router
    openai: openai.AsyncOpenAI
    anthropic: anthropic.AsyncAnthropic


@asynccontextmanager
async def gateway_router(file: Path, **settings: object) -> AsyncGenerator[GatewayRouter, None]:
    """A router with HTTP surfaces, budgets, short time limits and an empty ledger."""
    (file.parent / "limits.yaml").write_text(LIMITS, encoding="utf-8")
    database = file.parent / "data" / "db" / "router.sqlite"
    database.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(empty_database(), database)
    fixed = {"http_listen": "127.0.0.1:0", "probe_s": 0, "reload_s": 0.02, "data_dir": file.parent / "data"}
    chosen = Settings(providers_file=file, **{**fixed, **TIMES, "connect_timeout_s": 0.5, **settings})
    service = build(chosen, Dependencies(SystemClock(), new_id, lambda _: None))
    async with serving(service) as served:
        served.keys.keys[KEY] = principal()
        edge = service.edges[0]
        assert isinstance(edge, HttpEdge)
        url = "http://{}:{}".format(*edge.address)
        books = Router(
            router_pb2_grpc.RouterServiceStub(served.channel), ledger_pb2_grpc.LedgerServiceStub(served.channel)
        )
        async with (
            openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, timeout=60) as chatty,
            anthropic.AsyncAnthropic(base_url=url, api_key=KEY, max_retries=0, timeout=60) as claudish,
        ):
            yield GatewayRouter(url, books, chatty, claudish)
