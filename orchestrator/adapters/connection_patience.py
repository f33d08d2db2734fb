"""Patience with a peer that is being restarted: wait for the connection, then call once."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import grpc

PATIENCE_S = 10.0
"""A supervisor has a killed service back within this time."""


async def connected(channel: grpc.aio.Channel, timeout_s: float) -> None:
    """Return when the channel is connected, or after `timeout_s` and at most ten seconds.

    Nothing is sent and nothing is raised: a call on a channel that is still not connected fails at once, and says so.
    """
    state = channel.get_state(try_to_connect=True)
    with suppress(TimeoutError):
        async with asyncio.timeout(min(timeout_s, PATIENCE_S)):
            while state not in {grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.SHUTDOWN}:
                await channel.wait_for_state_change(state)
                state = channel.get_state(try_to_connect=True)
