"""The settings service over gRPC, on a real database, with peers that answer as they are told."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import grpc
import pytest
from google.protobuf import field_mask_pb2

from protos.gen.nexus.settings.v1 import identity_pb2, identity_pb2_grpc, settings_pb2, settings_pb2_grpc
from settings_service import main
from settings_service.ports.provider_directory import ProviderSummary
from settings_service.ports.tool_directory import ToolSummary
from settings_service.settings import Settings
from shared.auth.principal import service_principal
from shared.client import translated_errors
from shared.client.channel import open_channel
from shared.clock import SystemClock
from shared.errors import AlreadyExists, Forbidden, InvalidInput, NotFound, StaleWrite, Unauthenticated, UpstreamDown
from shared.ids import new_id
from shared.server import Dependencies
from shared.testing.harness import Served, principal, serving


class FakeTools:
    def __init__(self, _channel: object) -> None:
        pass

    async def list(self) -> Sequence[ToolSummary]:
        return [ToolSummary("calculator", "computes"), ToolSummary("clock", "tells the time")]


class DownProviders:
    def __init__(self, _channel: object) -> None:
        pass

    async def list(self) -> Sequence[ProviderSummary]:
        raise UpstreamDown("UNREACHABLE", "The router service does not answer.")


@pytest.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setattr(main, "GrpcToolDirectory", FakeTools)
    monkeypatch.setattr(main, "GrpcProviderDirectory", DownProviders)
    channels: list[grpc.aio.Channel] = []

    def channel(address: str) -> grpc.aio.Channel:
        channels.append(open_channel(address, lambda _p: None))
        return channels[-1]

    service = main.build(Settings(data_dir=tmp_path), Dependencies(SystemClock(), new_id, channel))
    key_file = tmp_path / "secrets/owner.key"
    async with serving(service) as running:
        key = key_file.read_text().strip()
        # The organisation of the rows must exist: calls come from the owner that the first start made.
        who = await _who_am_i(running.channel_with(key))
        running.channel = running.channel_as(principal(who.org_id, who.user_id))
        running.key = key  # type: ignore[attr-defined]
        yield running
    for opened in channels:
        await opened.close()


async def _who_am_i(channel: grpc.aio.Channel) -> identity_pb2.Principal:
    async with translated_errors("settings"):
        reply = await identity_pb2_grpc.IdentityServiceStub(channel).WhoAmI(identity_pb2.WhoAmIRequest(), timeout=5)
    return reply.principal


async def update(served: Served, paths: Sequence[str], request_id: str = "", etag: str = "", **agent: object):
    request = settings_pb2.UpdateConfigRequest(
        config=settings_pb2.Config(agent=settings_pb2.AgentConfig(**agent), etag=etag),
        update_mask=field_mask_pb2.FieldMask(paths=paths),
        request_id=request_id,
    )
    async with translated_errors("settings"):
        return (await settings_pb2_grpc.SettingsServiceStub(served.channel).UpdateConfig(request, timeout=5)).config


async def read(served: Served) -> settings_pb2.Config:
    stub = settings_pb2_grpc.SettingsServiceStub(served.channel)
    return (await stub.GetConfig(settings_pb2.GetConfigRequest(), timeout=5)).config


async def set_tool(served: Served, name: str, enabled: bool, request_id: str = "") -> settings_pb2.ToolState:
    request = settings_pb2.SetToolStateRequest(name=name, enabled=enabled, request_id=request_id)
    async with translated_errors("settings"):
        return (await settings_pb2_grpc.SettingsServiceStub(served.channel).SetToolState(request, timeout=5)).tool


async def test_the_owner_key_is_written_once_for_its_owner_alone(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "secrets/owner.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    database = (tmp_path / "db/settings.sqlite").read_bytes() + (tmp_path / "db/settings.sqlite-wal").read_bytes()
    assert file.read_text().strip().encode() not in database


async def test_the_owner_may_do_everything_and_a_wrong_key_nothing(served: Served) -> None:
    assert (
        (await _who_am_i(served.channel_with(served.key))).permissions
        == [  # type: ignore[attr-defined]
            "*",
            *(await _who_am_i(served.channel_with(served.key))).permissions[1:],  # type: ignore[attr-defined]
        ]
    )
    with pytest.raises(Unauthenticated, match="KEY_UNKNOWN"):
        await _who_am_i(served.channel_with(served.key[:-1] + "!"))  # type: ignore[attr-defined]


async def test_only_services_may_ask_whose_a_key_is(served: Served) -> None:
    request = identity_pb2.AuthenticateKeyRequest(api_key=served.key)  # type: ignore[attr-defined]
    operator = served.channel_as(principal(permissions=("runs.*", "settings.read")))
    with pytest.raises(Forbidden):
        async with translated_errors("settings"):
            await identity_pb2_grpc.IdentityServiceStub(operator).AuthenticateKey(request, timeout=5)
    stub = identity_pb2_grpc.IdentityServiceStub(served.channel_as(service_principal("router")))
    found = (await stub.AuthenticateKey(request, timeout=5)).principal
    assert found.roles == ["owner"]
    # Which key it was goes on with the caller, and is not the key.
    assert found.key_id
    assert found.key_id not in served.key  # type: ignore[attr-defined]
    assert (await _who_am_i(served.channel_with(served.key))).key_id == found.key_id  # type: ignore[attr-defined]


async def test_a_change_is_kept_and_only_what_the_mask_names(served: Served) -> None:
    config = await update(served, ["agent.max_steps"], max_steps=3, timeout_s=7)
    assert (config.agent.max_steps, config.agent.timeout_s, config.etag) == (3, 120, "v1")
    assert await read(served) == config


async def test_a_stale_etag_aborts(served: Served) -> None:
    await update(served, ["agent.max_steps"], etag="v0", max_steps=3)
    with pytest.raises(StaleWrite, match="ETAG_STALE"):
        await update(served, ["agent.max_steps"], etag="v0", max_steps=4)
    assert (await read(served)).agent.max_steps == 3


async def test_a_repeated_request_changes_nothing_more(served: Served) -> None:
    first = await update(served, ["agent.max_steps"], request_id="r1", max_steps=3)
    await update(served, ["agent.max_steps"], max_steps=5)
    assert await update(served, ["agent.max_steps"], request_id="r1", max_steps=3) == first
    assert (await read(served)).agent.max_steps == 5
    with pytest.raises(AlreadyExists, match="REQUEST_ID_REUSED"):
        await update(served, ["agent.max_steps"], request_id="r1", max_steps=9)


async def test_concurrent_changes_all_count(served: Served) -> None:
    await asyncio.gather(*(set_tool(served, n, False) for n in ("calculator", "clock")))
    assert list((await read(served)).tools.disabled) == ["calculator", "clock"]


@pytest.mark.parametrize(
    ("paths", "agent", "reason"),
    [
        ([], {}, "MASK_EMPTY"),
        (["agent.nope"], {}, "SETTING_UNKNOWN"),
        (["agent.max_steps"], {"max_steps": 0}, "SETTING_INVALID"),
        (["agent.max_steps"], {"max_steps": 99}, "REQUEST_INVALID"),
    ],
)
async def test_a_bad_update_changes_nothing(served: Served, paths: list[str], agent: dict[str, int], reason: str):
    before = await read(served)
    with pytest.raises(InvalidInput) as caught:
        await update(served, paths, **agent)
    assert caught.value.reason == reason
    assert await read(served) == before


async def test_a_watcher_sees_now_and_each_change(served: Served) -> None:
    stub = settings_pb2_grpc.SettingsServiceStub(served.channel)
    call = stub.WatchConfig(settings_pb2.WatchConfigRequest(), timeout=10)
    assert (await call.read()).config.etag == "v0"
    await update(served, ["agent.max_steps"], max_steps=2)
    assert (await call.read()).config.agent.max_steps == 2
    await set_tool(served, "clock", False)
    assert list((await call.read()).config.tools.disabled) == ["clock"]
    call.cancel()


async def test_scopes_and_isolation_are_kept_watched_and_validated(served: Served) -> None:
    stub = settings_pb2_grpc.SettingsServiceStub(served.channel)
    call = stub.WatchConfig(settings_pb2.WatchConfigRequest(), timeout=10)
    await call.read()
    scope = settings_pb2.ToolScope(agent="clerk", channel="telegram", allowed=["github_*", "calculator"])

    async def change(scopes: list[settings_pb2.ToolScope], level: int) -> settings_pb2.Config:
        request = settings_pb2.UpdateConfigRequest(
            config=settings_pb2.Config(
                tools=settings_pb2.ToolsConfig(scopes=scopes),
                sandbox=settings_pb2.SandboxConfig(least_isolation=level),  # type: ignore[arg-type]
            ),
            update_mask=field_mask_pb2.FieldMask(paths=["tools.scopes", "sandbox.least_isolation"]),
        )
        async with translated_errors("settings"):
            return (await stub.UpdateConfig(request, timeout=5)).config

    await change([scope], settings_pb2.ISOLATION_LEVEL_USER_KERNEL)
    seen = (await call.read()).config
    assert (list(seen.tools.scopes), seen.sandbox.least_isolation) == (
        [scope],
        settings_pb2.ISOLATION_LEVEL_USER_KERNEL,
    )
    assert (await read(served)).tools.scopes[0] == scope
    for scopes, level in (([scope, scope], 1), ([settings_pb2.ToolScope(allowed=[""])], 1), ([scope], 9)):
        with pytest.raises(InvalidInput):
            await change(scopes, level)
    viewer = settings_pb2_grpc.SettingsServiceStub(served.channel_as(principal(permissions=("settings.read",))))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await viewer.UpdateConfig(settings_pb2.UpdateConfigRequest(), timeout=5)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    call.cancel()


async def test_another_organisation_sees_its_own(served: Served) -> None:
    await update(served, ["agent.max_steps"], max_steps=2)
    stranger = settings_pb2_grpc.SettingsServiceStub(served.channel_as(principal("org-other")))
    assert (await stranger.GetConfig(settings_pb2.GetConfigRequest(), timeout=5)).config.agent.max_steps == 8


async def test_tools_have_the_state_that_was_set(served: Served) -> None:
    state = await set_tool(served, "calculator", False, request_id="t1")
    assert (state.name, state.enabled) == ("calculator", False)
    stub = settings_pb2_grpc.SettingsServiceStub(served.channel)
    tools = (await stub.ListTools(settings_pb2.ListToolsRequest(), timeout=5)).tools
    assert [(t.name, t.enabled) for t in tools] == [("calculator", False), ("clock", True)]
    assert (await set_tool(served, "calculator", True)).enabled is True


async def test_an_unknown_tool_is_not_found(served: Served) -> None:
    with pytest.raises(NotFound, match="TOOL_UNKNOWN"):
        await set_tool(served, "nope", False)


async def test_providers_need_the_router(served: Served) -> None:
    with pytest.raises(UpstreamDown, match="UNREACHABLE"):
        async with translated_errors("settings"):
            await settings_pb2_grpc.SettingsServiceStub(served.channel).ListProviders(
                settings_pb2.ListProvidersRequest(), timeout=5
            )


async def test_a_second_start_makes_no_second_owner(tmp_path: Path) -> None:
    deps = Dependencies(SystemClock(), new_id, lambda a: open_channel(a, lambda _p: None))
    for _ in range(2):
        async with serving(main.build(Settings(data_dir=tmp_path), deps)) as running:
            key = (tmp_path / "secrets/owner.key").read_text().strip()
            who = await _who_am_i(running.channel_with(key))
            assert who.roles == ["owner"]
