"""The least isolation of organisations, over a real settings service that answers as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from settings_fakes import ScriptedSettings, served_settings

from protos.gen.nexus.settings.v1 import settings_pb2
from sandbox_service.adapters.isolation_policy_grpc import GrpcIsolationPolicy
from sandbox_service.domain.isolation_level import IsolationLevel
from shared.clock import SystemClock
from shared.errors import UpstreamDown


@asynccontextmanager
async def serving_policy() -> AsyncGenerator[tuple[GrpcIsolationPolicy, ScriptedSettings], None]:
    settings = ScriptedSettings()
    async with served_settings(settings) as served:
        policy = GrpcIsolationPolicy(served.channel, SystemClock(), max_organisations=4)
        try:
            yield policy, settings
        finally:
            await policy.stop()


@pytest.mark.parametrize(
    ("stored", "level"),
    [
        (settings_pb2.ISOLATION_LEVEL_UNSPECIFIED, IsolationLevel.NAMESPACES),
        (settings_pb2.ISOLATION_LEVEL_NAMESPACES, IsolationLevel.NAMESPACES),
        (settings_pb2.ISOLATION_LEVEL_USER_KERNEL, IsolationLevel.USER_KERNEL),
        (settings_pb2.ISOLATION_LEVEL_VIRTUAL_MACHINE, IsolationLevel.VIRTUAL_MACHINE),
        (9, IsolationLevel.VIRTUAL_MACHINE),
    ],
)
async def test_each_organisation_has_its_own_and_an_unknown_level_is_the_strongest(stored, level) -> None:
    async with serving_policy() as (policy, settings):
        settings.isolation["org-a"] = stored
        assert await policy.least("org-a") is level
        assert await policy.least("org-b") is IsolationLevel.NAMESPACES


async def test_a_change_shows_at_once_and_is_read_by_the_service_itself() -> None:
    async with serving_policy() as (policy, settings):
        await policy.least("org-a")
        settings.isolation["org-a"] = settings_pb2.ISOLATION_LEVEL_USER_KERNEL
        await settings.disable("org-a", set())
        async with asyncio.timeout(5):
            while await policy.least("org-a") is not IsolationLevel.USER_KERNEL:
                await asyncio.sleep(0.01)
        assert set(settings.watched_by) == {"service:sandbox"}


async def test_nothing_known_is_a_refusal() -> None:
    async with serving_policy() as (policy, settings):
        settings.down = True
        with pytest.raises(UpstreamDown) as caught:
            await policy.least("org-a")
        assert caught.value.reason == "SETTINGS_UNKNOWN"


def test_levels_compare() -> None:
    assert sorted(IsolationLevel) == [
        IsolationLevel.NAMESPACES,
        IsolationLevel.USER_KERNEL,
        IsolationLevel.VIRTUAL_MACHINE,
    ]
