"""Whose a key is is asked once at a time, and the key is kept nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from protos.gen.nexus.settings.v1 import identity_pb2
from shared.auth import authenticator
from shared.auth.authenticator import SettingsKeyDirectory
from shared.auth.principal import Principal
from shared.errors import Unauthenticated, UpstreamDown
from shared.testing.fakes import FakeClock


class Identity:
    """Stands for the settings service: answers when it is let."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers = asyncio.Event()
        self.error: Exception | None = None

    async def AuthenticateKey(
        self,
        request: identity_pb2.AuthenticateKeyRequest,
    ) -> identity_pb2.AuthenticateKeyResponse:
        self.asked.append(request.api_key)
        await self.answers.wait()
        if self.error is not None:
            raise self.error
        return identity_pb2.AuthenticateKeyResponse(principal=identity_pb2.Principal(org_id="o", user_id="u"))


class Channel:
    """A channel without a peer: nothing is called on it."""

    def __getattr__(self, name: str) -> object:
        return lambda *args, **kwargs: None


def directory(identity: Identity, clock: FakeClock) -> SettingsKeyDirectory:
    made = SettingsKeyDirectory(Channel(), "router", clock)  # pyright: ignore[reportArgumentType]
    made._stub = identity
    return made


async def test_calls_that_come_together_ask_once_and_one_that_leaves_takes_nothing_along() -> None:
    identity, clock = Identity(), FakeClock()
    keys = directory(identity, clock)
    calls = [asyncio.create_task(keys.principal_of("nxk_secret")) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    calls[0].cancel()
    identity.answers.set()
    found = await asyncio.gather(*calls[1:])
    assert {each.user_id for each in found} == {"u"}
    assert identity.asked == ["nxk_secret"]
    assert (await keys.principal_of("nxk_secret")).user_id == "u"
    clock.advance(5.1)
    await keys.principal_of("nxk_secret")
    assert identity.asked == ["nxk_secret"] * 2
    assert "nxk_secret" not in repr(vars(keys))


async def test_a_refusal_is_everybodys_and_is_kept_for_a_second() -> None:
    identity, clock = Identity(), FakeClock()
    identity.error = Unauthenticated("KEY_UNKNOWN", "No.")
    identity.answers.set()
    keys = directory(identity, clock)
    for found in await asyncio.gather(*[keys.principal_of("nxk_x") for _ in range(3)], return_exceptions=True):
        assert isinstance(found, Unauthenticated)
    with pytest.raises(Unauthenticated, match="KEY_UNKNOWN"):
        await keys.principal_of("nxk_x")
    assert len(identity.asked) == 1
    clock.advance(1.1)
    identity.error = None
    assert (await keys.principal_of("nxk_x")).user_id == "u"
    assert len(identity.asked) == 2
    clock.advance(5.1)
    identity.error = Unauthenticated("KEY_REVOKED", "No more.")
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            await keys.principal_of("nxk_x")
    assert len(identity.asked) == 3
    assert "nxk_x" not in repr(vars(keys))


async def test_a_service_that_is_away_is_no_refusal() -> None:
    identity = Identity()
    identity.error = UpstreamDown("SETTINGS_DOWN", "Away.")
    identity.answers.set()
    keys = directory(identity, FakeClock())
    for _ in range(2):
        with pytest.raises(UpstreamDown):
            await keys.principal_of("nxk_x")
    assert len(identity.asked) == 2


async def test_whoever_guesses_keys_keeps_nobody_out_whose_key_was_good() -> None:
    identity, clock = Identity(), FakeClock()
    identity.answers.set()
    keys = directory(identity, clock)
    await keys.principal_of("nxk_good")
    clock.advance(60)
    identity.answers.clear()
    guesses = [asyncio.create_task(keys.principal_of(f"nxk_{number}")) for number in range(200)]
    good = asyncio.create_task(keys.principal_of("nxk_good"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(identity.asked) == 1 + 32 + 1
    assert identity.asked[-1] == "nxk_good"
    identity.answers.set()
    assert (await good).user_id == "u"
    await asyncio.gather(*guesses)
    assert len(identity.asked) == 1 + 200 + 1


def guessed(keys: SettingsKeyDirectory, numbers: Iterable[int]) -> list[asyncio.Task[Principal]]:
    return [asyncio.create_task(keys.principal_of(f"nxk_{number}")) for number in numbers]


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_only_so_many_unknown_keys_wait_their_turn() -> None:
    identity, clock = Identity(), FakeClock()
    identity.answers.set()
    keys = directory(identity, clock)
    await keys.principal_of("nxk_good")
    clock.advance(60)
    identity.answers.clear()
    waiting = guessed(keys, range(500))
    await settled()
    with pytest.raises(UpstreamDown, match="KEY_CHECKS_BUSY") as caught:
        await keys.principal_of("nxk_new")
    assert caught.value.retry_after_s == 1
    # Who was good before, or waits for what is being asked already, adds nothing to the line.
    waiting += [asyncio.create_task(keys.principal_of("nxk_good")), *guessed(keys, [499])]
    await settled()
    identity.answers.set()
    assert {found.user_id for found in await asyncio.gather(*waiting)} == {"u"}
    assert (await keys.principal_of("nxk_new")).user_id == "u"


async def test_what_nobody_waits_for_any_more_is_not_asked() -> None:
    identity = Identity()
    keys = directory(identity, FakeClock())
    for first in range(0, 2000, 400):
        leavers = guessed(keys, range(first, first + 400))
        await settled()
        for leaver in leavers:
            leaver.cancel()
        await settled()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    asked = len(identity.asked)
    new = guessed(keys, [3000])
    await settled()
    assert identity.asked[asked:] == ["nxk_3000"]
    # Asked anew for whoever comes back.
    new += guessed(keys, [0])
    identity.answers.set()
    assert {found.user_id for found in await asyncio.gather(*new)} == {"u"}


async def test_the_time_in_the_line_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authenticator, "_ANSWER_S", 0.02)
    identity = Identity()
    keys = directory(identity, FakeClock())
    async with asyncio.timeout(10):
        for found in await asyncio.gather(*guessed(keys, range(100)), return_exceptions=True):
            assert isinstance(found, UpstreamDown)
            assert (found.reason, found.retry_after_s) == ("KEY_CHECK_SLOW", 1)
    identity.answers.set()
    assert (await keys.principal_of("nxk_0")).user_id == "u"
