"""One call of the router: what is asked, by whom, and how it is to be routed."""

from __future__ import annotations

from enum import StrEnum

from provider_router.domain.calls.chat import ChatRequest
from provider_router.domain.contracts.contract import DataClass
from provider_router.domain.decisions.route_request import Caller, TraitConstraint
from provider_router.domain.errors import Reason, failure
from shared.value import value


class CacheMode(StrEnum):
    """Whether an answer may come from the cache."""

    OFF = "off"
    EXACT = "exact"
    SEMANTIC = "semantic"


class OnBreak(StrEnum):
    """What to do when an answer breaks off after its first token."""

    FAIL = "fail"
    CONTINUE = "continue"


@value
class RoutingOptions:
    """How a call is to be routed. The defaults are those of a caller who says nothing.

    Attributes:
        model: `provider/model`, `provider/` for any model of a provider, or empty.
        tier: A tier of the rules, or empty.
        data_class: How sensitive the texts are; None for the rules' default.
        residency: Regions in which they may be processed; empty for any.
        traits: Constraints on traits.
        max_cost_micro_usd: Most that the answer may be expected to cost; None for no limit.
        timeout_ms: For the whole call; None for the rules' own.
        conversation_id: Keeps a conversation with its service, and names it in budgets and ledger; empty for none.
        hedge: Whether a silent service may be raced by the next one.
        on_break: What to do when an answer breaks off.
        cache: Whether the cache may answer.
        cache_max_age_s: The oldest answer to take; 0 for the cache's own limit.
        cache_min_similarity_ppm: For a semantic hit; 0 for the cache's own limit.
        drop_unsupported: Whether a model may answer that has no place for some of the request's parameters and fields;
            it is not given those, and `Started.dropped` names them.
    """

    model: str = ""
    tier: str = ""
    data_class: DataClass | None = None
    residency: frozenset[str] = frozenset()
    traits: tuple[TraitConstraint, ...] = ()
    max_cost_micro_usd: int | None = None
    timeout_ms: int | None = None
    conversation_id: str = ""
    hedge: bool = True
    on_break: OnBreak = OnBreak.FAIL
    cache: CacheMode = CacheMode.OFF
    cache_max_age_s: int = 0
    cache_min_similarity_ppm: int = 0
    drop_unsupported: bool = False


@value
class ChatCall:
    """A chat to complete, with its caller and its routing options."""

    caller: Caller
    request: ChatRequest
    options: RoutingOptions = RoutingOptions()
    streamed: bool = True

    @property
    def asks_cache(self) -> bool:
        """Whether its caller allows that the cache answers."""
        return self.options.cache is not CacheMode.OFF

    @property
    def is_relayed(self) -> bool:
        """Whether a provider's answer may reach the caller as it is: the router does not keep it, nor go on with it."""
        kept = self.options.cache is not CacheMode.OFF and not self.request.needs_own_words
        return not kept and self.options.on_break is OnBreak.FAIL

    def check(self) -> None:
        """Checks what the contract's constraints cannot say.

        Raises:
            InvalidInput: INVALID_MESSAGES; UNSUPPORTED_CAPABILITY for an answer that another model cannot go on with.
        """
        self.request.check()
        options = self.options
        if options.on_break is OnBreak.CONTINUE and self.request.needs_own_words and not options.drop_unsupported:
            raise failure(
                Reason.UNSUPPORTED_CAPABILITY,
                "Several choices, log probabilities and fields of one dialect alone cannot be continued by another "
                "model: leave them out, or do not ask for continuation.",
            )
