"""Connections go to addresses that a provider may have, whatever a name server says."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import pytest
from router_http import HEAD, answering, body_of, client, serving

from provider_router.adapters.http import dial
from provider_router.adapters.http.call import HttpCall
from provider_router.adapters.yaml_file.provider_reader import LocalAddresses, read_configuration
from shared.errors import UpstreamDown

FULL = HEAD + b"Content-Length: 3\r\n\r\nabc"


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: Sequence[str]) -> list[str]:
    """Has the name server give each of `answers` once, the last one again and again; gives the names asked for."""
    asked: list[str] = []
    numeric = socket.getaddrinfo

    def answer(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        if options.get("flags", 0) & socket.AI_NUMERICHOST:
            return numeric(host, port, *rest, **options)
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [
            info for each in found for info in numeric(each, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


async def refused(call: HttpCall) -> str:
    async with client() as made:
        with pytest.raises(UpstreamDown) as error:
            await made.streamed(call)
    assert error.value.reason == "PROVIDER_UNREACHABLE"
    return error.value.message


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "::1", "::ffff:127.0.0.1", "fd00:ec2::254"]
)
async def test_a_name_that_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    async with serving(answering(FULL)) as server:
        resolving(monkeypatch, [address])
        message = await refused(HttpCall("p", f"http://acme.test:{server.port}/v1", {}))
        assert "network: private" in message
        assert address not in message
        assert server.peers == []


async def test_a_private_provider_may_be_inside_but_never_at_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answering(FULL)) as server, client() as made:
        resolving(monkeypatch, ["169.254.169.254", "127.0.0.1"])
        call = HttpCall("p", f"http://acme.test:{server.port}/v1", {}, is_private=True)
        assert await body_of(made, call) == b"abc"
    resolving(monkeypatch, ["169.254.169.254"])
    assert "no provider may have" in await refused(HttpCall("p", "http://acme.test/v1", {}, is_private=True))
    assert "no provider may have" in await refused(HttpCall("p", "http://169.254.169.254/v1", {}, is_private=True))


async def test_of_several_addresses_only_those_are_tried_that_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    async def reached(address: Any) -> socket.socket:
        tried.append(address[1][0])
        raise ConnectionRefusedError

    monkeypatch.setattr(dial, "_reached", reached)
    resolving(monkeypatch, ["10.0.0.1", "8.8.8.8", "::1"])
    assert "refuses connections" in await refused(HttpCall("p", "http://acme.test/v1", {}))
    assert tried == ["8.8.8.8"]


async def test_a_name_that_changes_its_mind_gets_nobody_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    async def reached(address: Any) -> socket.socket:
        tried.append(address[1][0])
        raise ConnectionRefusedError

    monkeypatch.setattr(dial, "_reached", reached)
    asked = resolving(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    call = HttpCall("p", "http://acme.test/v1", {})
    async with client() as made:
        for words in ("refuses connections", "network: private"):
            with pytest.raises(UpstreamDown, match=words):
                await made.streamed(call)
    assert (tried, len(asked)) == (["8.8.8.8"], 2)


async def test_connections_of_a_private_provider_are_not_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answering(FULL)) as server, client() as made:
        resolving(monkeypatch, ["127.0.0.1"])
        url = f"http://acme.test:{server.port}/v1"
        assert await body_of(made, HttpCall("p", url, {}, is_private=True)) == b"abc"
        with pytest.raises(UpstreamDown, match="network: private"):
            await made.streamed(HttpCall("other", url, {}))


def test_the_operator_says_who_is_private() -> None:
    content = b"""
version: 1
providers:
  here: {type: local, models: [{name: m, chat: true}]}
  inside: {type: openai_compatible, base_url: 'http://models.lan/v1', network: private, models: [{name: m, chat: true}]}
  outside: {type: anthropic, models: [{name: m, chat: true}]}
"""
    providers = read_configuration(content, LocalAddresses("http://l/v1", "http://l/v1")).providers
    assert {name: each.is_private for name, each in providers.items()} == {
        "here": True,
        "inside": True,
        "outside": False,
    }
