"""The orchestrator, served for real over fake ports."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import pytest
from orchestrator_service import FakeWorld

from protos.gen.agent import agent_pb2_grpc as alias_pb2_grpc
from protos.gen.nexus.agent.v1 import agent_pb2_grpc, conversation_pb2_grpc
from shared.testing.harness import Served, serving


@dataclass
class Client:
    """The orchestrator's contracts as one caller."""

    agent: Any
    conversations: Any
    alias: Any


def client_on(channel: Any) -> Client:
    return Client(
        agent_pb2_grpc.AgentServiceStub(channel),
        conversation_pb2_grpc.ConversationServiceStub(channel),
        alias_pb2_grpc.AgentServiceStub(channel),
    )


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld()


@pytest.fixture
async def served(world) -> AsyncGenerator[Served, None]:
    async with serving(world.service()) as served:
        yield served


@pytest.fixture
def client(served) -> Client:
    return client_on(served.channel)


@pytest.fixture
def client_as(served):
    return lambda who: client_on(served.channel_as(who))
