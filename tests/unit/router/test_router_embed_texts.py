"""Embeddings: one model, its deployments, its retries, its rows in the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from router_answer_rig import CALLER, PRICES, Rig
from router_fakes import FakeChatModel, FakeModelSource, FakeRegistry, service_of, snapshot_of
from router_money_fakes import monthly
from uncollected import ours, uncollected

from provider_router.domain.calls.embedding import Embeddings, Handling
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import Operation
from provider_router.domain.contracts.service import Service
from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.errors import Reason, failure
from provider_router.domain.money.attempt import Outcome
from provider_router.domain.money.budget import Scope
from provider_router.domain.money.rate import Bucket, Charge, Unit
from provider_router.domain.traffic.lease import Unavailable
from provider_router.use_cases.embed_texts import EmbedMeans, EmbedTexts
from shared.errors import DeadlineExceeded, InvalidInput, NexusError, PreconditionFailed, QuotaExceeded, UpstreamDown

DOWN = failure(Reason.PROVIDER_UNREACHABLE, "Down.")
REFUSED = failure(Reason.PROVIDER_REFUSED_REQUEST, "No.")
KEY = failure(Reason.PROVIDER_REFUSED_KEY, "No.")


class Model:
    """Answers, or raises, one after the other; `...` hangs."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked: list[Sequence[str]] = []

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        self.asked.append(texts)
        answer = self.answers.pop(0) if self.answers else TokenUsage(7)
        if answer is ...:
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        return Embeddings(tuple((0.6, 0.8) for _ in texts), answer)


class Embedder:
    """`EmbedTexts` over the rig's ports."""

    def __init__(self, *answers: object, embed: str = "one/embed") -> None:
        self.rig = Rig({"one/m": FakeChatModel()})
        self.model, self.other = Model(*answers), Model()
        services = [
            service_of("one/chat"),
            service_of("one/embed", chat=False, embeddings=True, prices=PRICES, context_length=8_000),
            service_of("two/embed", chat=False, embeddings=True, prices=PRICES),
        ]
        means = EmbedMeans(
            self.rig.desk,
            FakeModelSource(embed={"one/embed": self.model, "two/embed": self.other}),
            self.rig.means.counter,
            self.rig.means.retries,
            self.rig.ends,
            60.0,
        )
        registry = FakeRegistry(snapshot_of(*services, embed=embed))
        self.embed = EmbedTexts(registry, self.rig.admit, self._decide, means)

    async def _decide(self, caller: Caller, service: Service, texts: Sequence[str], handling: Handling) -> str:
        return f"decision of {service.name}"

    async def __call__(self, model: str = "", texts: Sequence[str] = ("one two", "three"), **said: object) -> object:
        return await self.embed(CALLER, model, texts, Handling(**said))


@pytest.mark.parametrize(("asked", "used"), [("", "one/embed"), ("two/embed", "two/embed")])
async def test_one_model_embeds_and_has_its_row(asked: str, used: str) -> None:
    embedder = Embedder()
    embedded = await embedder(asked)
    assert (embedded.model, embedded.decision_id) == (used, f"decision of {used}")
    assert (embedded.attempts, embedded.cost_micro_usd, embedded.cost_unknown) == (1, 7, False)
    assert len(embedded.embeddings.vectors) == 2
    row = embedder.rig.rows[0]
    assert (row.opening.operation, row.opening.service, row.opening.decision_id) == (
        Operation.EMBED,
        used,
        f"decision of {used}",
    )
    assert (row.opening.reserved, row.opening.reserved_micro_usd) == (TokenUsage(3), 3)
    assert (row.closing.outcome, row.closing.usage, row.closing.cost_micro_usd) == (
        Outcome.SUCCEEDED,
        TokenUsage(7),
        7,
    )
    assert embedder.rig.nothing_is_held()


@pytest.mark.parametrize(("told", "charged"), [(74_000, 74_000), (10**12, 74_000), (0, 3)])
async def test_no_more_is_charged_than_can_be_and_never_nothing(told: int, charged: int) -> None:
    embedder = Embedder(TokenUsage(told))
    embedded = await embedder()
    closing = embedder.rig.rows[0].closing
    estimated = told != charged
    assert (closing.usage, closing.estimated, closing.cost_micro_usd) == (TokenUsage(charged), estimated, charged)
    assert embedded.embeddings.usage == (TokenUsage(charged) if charged != 3 else None)


async def test_what_the_routers_end_cuts_short_is_written_down_as_that() -> None:
    embedder = Embedder(...)
    embedder.rig.ends.is_stopping = True
    task = asyncio.create_task(embedder())
    while not embedder.model.asked:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert embedder.rig.outcomes() == [("one/embed", "aborted", "SHUTTING_DOWN")]
    assert embedder.rig.rows[0].closing.usage == TokenUsage(3)
    assert embedder.rig.deployments.reports[0][1].finished is False
    assert embedder.rig.nothing_is_held()


async def test_a_failure_that_was_made_good_is_freed_with_its_call() -> None:
    with uncollected() as left:
        embedder = Embedder(failure(Reason.PROVIDER_UNREACHABLE, "Down."))
        await embedder()
    assert [row.closing.outcome for row in embedder.rig.rows] == [Outcome.FAILED, Outcome.SUCCEEDED]
    assert ours(left) == []


async def test_what_the_provider_does_not_count_is_counted() -> None:
    embedder = Embedder(None)
    await embedder()
    closing = embedder.rig.rows[0].closing
    assert (closing.usage, closing.estimated, closing.cost_micro_usd) == (TokenUsage(3), True, 3)


@pytest.mark.parametrize(
    ("configured", "asked", "kind", "reason"),
    [
        ("", "", PreconditionFailed, "NO_MODEL_CONFIGURED"),
        ("one/embed", "one/chat", InvalidInput, "UNSUPPORTED_CAPABILITY"),
        ("one/embed", "x/y", InvalidInput, "MODEL_UNKNOWN"),
    ],
)
async def test_models_that_cannot_be_had(configured: str, asked: str, kind: type[NexusError], reason: str) -> None:
    with pytest.raises(kind) as caught:
        await Embedder(embed=configured)(asked)
    assert caught.value.reason == reason


async def test_a_passing_fault_is_tried_again_and_costs_nothing() -> None:
    embedder = Embedder(DOWN, DOWN)
    await embedder()
    assert [row.closing.outcome.value for row in embedder.rig.rows] == ["failed", "failed", "succeeded"]
    assert [row.opening.number for row in embedder.rig.rows] == [1, 2, 3]
    assert embedder.rig.cost_micro_usd() == 7
    assert embedder.rig.slept_s == [0.1, 0.2]


async def test_the_time_that_a_caller_gives_ends_the_work_and_its_conversation_is_in_the_books() -> None:
    embedder = Embedder(...)
    with pytest.raises(DeadlineExceeded) as caught:
        await embedder(timeout_ms=20, conversation_id="c-1")
    assert (caught.value.reason, caught.value.metadata["decision_id"]) == ("DEADLINE_EXCEEDED", "decision of one/embed")
    (row,) = embedder.rig.rows
    assert (row.opening.conversation_id, row.closing.outcome) == ("c-1", Outcome.ABORTED)
    assert embedder.rig.nothing_is_held()


async def test_another_model_is_never_used_instead() -> None:
    embedder = Embedder(DOWN, DOWN, DOWN, DOWN)
    with pytest.raises(UpstreamDown) as caught:
        await embedder()
    assert (caught.value.reason, caught.value.message) == (DOWN.reason, DOWN.message)
    assert (caught.value.metadata, DOWN.metadata) == ({"decision_id": "decision of one/embed"}, {})
    assert len(embedder.model.asked) == 3
    assert embedder.other.asked == []
    assert embedder.rig.nothing_is_held()


@pytest.mark.parametrize("error", [REFUSED, KEY])
async def test_what_cannot_help_is_not_tried_again(error: NexusError) -> None:
    embedder = Embedder(error)
    with pytest.raises(type(error)) as caught:
        await embedder()
    assert caught.value.reason == error.reason
    assert len(embedder.model.asked) == 1


async def test_a_model_that_cannot_be_called_says_why() -> None:
    embedder = Embedder()
    embedder.rig.deployments.unavailable["one/embed"] = Unavailable(Reason.CIRCUIT_OPEN, 3.0)
    with pytest.raises(UpstreamDown) as caught:
        await embedder()
    assert (caught.value.reason, caught.value.retry_after_s) == ("CIRCUIT_OPEN", 3.0)
    assert embedder.rig.rows == []


async def test_an_exhausted_budget_ends_it_before_the_provider_hears_of_it() -> None:
    embedder = Embedder()
    embedder.rig.book.budgets = [monthly(2)]
    with pytest.raises(QuotaExceeded) as caught:
        await embedder()
    assert caught.value.reason == "BUDGET_EXHAUSTED"
    assert embedder.model.asked == []
    assert embedder.rig.deployments.out == []


async def test_a_caller_over_its_limit_is_refused() -> None:
    embedder = Embedder()
    tokens = Charge(Bucket(Scope.USER, "org-a/ann", Unit.TOKENS, 3), 3)
    await embedder.rig.limiter.acquire([tokens])
    embedder.rig.book.charges = [tokens]
    with pytest.raises(QuotaExceeded) as caught:
        await embedder()
    assert (caught.value.reason, caught.value.metadata["limited"]) == ("RATE_LIMITED", "tokens")
    assert embedder.model.asked == []


async def test_a_caller_that_leaves_pays_for_the_texts() -> None:
    embedder = Embedder(...)
    task = asyncio.create_task(embedder())
    while not embedder.model.asked:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    closing = embedder.rig.rows[0].closing
    assert (closing.outcome, closing.usage, closing.estimated) == (Outcome.ABORTED, TokenUsage(3), True)
    assert embedder.rig.nothing_is_held()
