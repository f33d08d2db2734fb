"""The book of limits over a real file that changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from router_money_fakes import ANN, BOB, EVE

from provider_router.adapters.limit_book_yaml import YamlLimitBook
from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.money.budget import Scope
from provider_router.domain.money.rate import Unit
from shared.errors import PreconditionFailed

TEXT = """
version: 1
budgets:
  - {scope: organisation, period: month, usd: 100}
  - {scope: user, period: day, usd: 1}
  - {scope: user, subject: bob, organisation: acme, period: day, usd: 5}
  - {scope: key, period: day, usd: 2}
  - {scope: conversation, period: day, usd: 0.5}
rate_limits:
  - {scope: organisation, requests_per_minute: 600, tokens_per_minute: 1000}
  - {scope: user, subject: ann, tokens_per_minute: 50}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "limits.yaml"


@pytest.fixture
async def book(file: Path) -> AsyncIterator[YamlLimitBook]:
    return YamlLimitBook(file.parent, 0.01)


def budgets(book: YamlLimitBook, caller: Caller, conversation_id: str = "") -> dict[str, int]:
    found = book.budgets_for(caller, conversation_id)
    assert all(limit.org_id == caller.org_id for limit in found)
    return {f"{limit.scope} {limit.subject} {limit.period}": limit.limit_micro_usd for limit in found}


def rates(book: YamlLimitBook, caller: Caller, tokens: int) -> list[tuple[str, int, int]]:
    charges = [*book.request_charges(caller), *book.token_charges(caller, tokens)]
    return [(c.bucket.name, c.bucket.per_minute, c.amount) for c in charges]


async def test_each_caller_gets_its_own(book: YamlLimitBook, file: Path) -> None:
    file.write_text(TEXT)
    await book.load()
    for _ in range(2):
        assert budgets(book, ANN) == {
            "organisation acme month": 100_000_000,
            "user ann day": 1_000_000,
            "key key-1 day": 2_000_000,
        }
        assert budgets(book, BOB, "c1") == {
            "organisation acme month": 100_000_000,
            "user bob day": 5_000_000,
            "key key-2 day": 2_000_000,
            "conversation c1 day": 500_000,
        }
        assert budgets(book, Caller("acme", "bob"), "c2").keys() == {
            "organisation acme month",
            "user bob day",
            "conversation c2 day",
        }
        assert rates(book, ANN, 7) == [
            ("organisation/requests/acme", 600, 1),
            ("organisation/tokens/acme", 1000, 7),
            ("user/tokens/acme/ann", 50, 7),
        ]
        assert rates(book, BOB, 0) == [("organisation/requests/acme", 600, 1)]
        assert rates(book, EVE, 3)[-1] == ("user/tokens/evil/ann", 50, 3)


async def test_without_a_file_nothing_is_limited(book: YamlLimitBook) -> None:
    await book.load()
    assert list(book.budgets_for(ANN, "c1")) == []
    assert rates(book, ANN, 100) == []


async def test_a_wrong_file_at_the_start_refuses_until_it_is_corrected(book: YamlLimitBook, file: Path) -> None:
    for text in (None, "version: 1\nbudgets: [{scope: user, period: day, usd: much}]"):
        if text is not None:
            file.write_text(text)
            await book.load()
        for ask in (lambda: book.budgets_for(ANN, ""), lambda: book.request_charges(ANN)):
            with pytest.raises(PreconditionFailed, match="LIMITS_INVALID") as caught:
                ask()
    assert "limits.yaml" in caught.value.message
    assert "line 2" in caught.value.message
    file.write_text(TEXT)
    await book.load()
    assert budgets(book, ANN)["user ann day"] == 1_000_000


async def test_changes_apply_within_a_second_and_a_wrong_file_changes_nothing(book: YamlLimitBook, file: Path) -> None:
    file.write_text(TEXT)
    await book.load()
    watching = asyncio.create_task(book.watch())

    async def until(condition) -> None:
        deadline = time.monotonic() + 5  # a busy machine; the look itself is every 0.01 s
        while not condition():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.005)

    assert budgets(book, ANN)["user ann day"] == 1_000_000
    file.write_text(TEXT.replace("usd: 1}", "usd: 3}"))
    await until(lambda: budgets(book, ANN)["user ann day"] == 3_000_000)
    file.write_text(TEXT.replace("usd: 1}", "usd: x}"))
    await until(lambda: "line 5" in book.problem())
    assert budgets(book, ANN)["user ann day"] == 3_000_000
    file.unlink()
    await until(lambda: not budgets(book, ANN))
    assert book.problem() == ""
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


async def test_memory_is_bounded_by_callers(book: YamlLimitBook, file: Path) -> None:
    file.write_text(TEXT)
    await book.load()
    for n in range(10_001):
        book.request_charges(Caller("acme", f"u{n}"))
    assert len(book._callers) <= 10_000
    assert {c.bucket.unit for c in book.request_charges(ANN)} == {Unit.REQUESTS}
    assert {c.bucket.unit for c in book.token_charges(ANN, 1)} == {Unit.TOKENS}
    assert {limit.scope for limit in book.budgets_for(ANN, "")} == {Scope.ORGANISATION, Scope.USER, Scope.KEY}
