"""Answers with what was answered before, where the caller allows that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from provider_router.domain.cache.answer_recording import AnswerRecording, calls_tools, replayed
from provider_router.domain.cache.cache_key import cache_key, may_be_cached
from provider_router.domain.cache.cached_answer import CachedAnswer, CacheKey, CacheLookup, Hit
from provider_router.domain.calls.chat_call import CacheMode, ChatCall
from provider_router.domain.calls.events import ChatEvent, Completed
from provider_router.ports.answer_source import AnswerSource
from provider_router.ports.cache_observer import CacheObserver
from provider_router.ports.local_embedder import LocalEmbedder
from provider_router.ports.response_cache import ResponseCache
from provider_router.ports.rule_book import RuleBook
from provider_router.ports.service_registry import ServiceRegistry
from shared.clock import Clock
from shared.errors import NexusError

_Vector = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """What is taken from the cache, and what is given to it.

    Attributes:
        max_age_s: The oldest answer that anybody gets; callers may ask for younger ones.
        min_similarity_ppm: Of a semantic hit, for callers who do not say.
        least_similarity_ppm: Callers may not ask for less.
        answer_chars: Longer answers are not kept.
        write_timeout_s: The end of an answer waits no longer for its copy.
    """

    max_age_s: float = 86_400
    min_similarity_ppm: int = 950_000
    least_similarity_ppm: int = 900_000
    answer_chars: int = 256 * 1024
    write_timeout_s: float = 0.5


@dataclass(frozen=True, slots=True)
class CacheParts:
    """What the cache works with."""

    cache: ResponseCache
    rules: RuleBook
    registry: ServiceRegistry
    embedder: LocalEmbedder
    observer: CacheObserver
    clock: Clock


class AnswerFromCache:
    """Implements `AnswerSource` around another one, with a cache before it. The cache never makes a call fail.

    A hit is given without a decision, a reservation or an attempt: nobody is called. `Started.decision_id` names the
    decision that once chose the model. What is in the key makes sure that this caller could have got that answer.
    """

    def __init__(self, source: AnswerSource, parts: CacheParts, limits: CacheLimits | None = None) -> None:
        self._source = source
        self._parts = parts
        self._limits = limits or CacheLimits()

    def stream(self, call: ChatCall) -> AsyncGenerator[ChatEvent, None]:
        """Answers `call`; see `AnswerSource`. Whoever does not ask for the cache gets the source's own stream."""
        if call.options.cache is CacheMode.OFF:
            return self._source.stream(call)
        if not may_be_cached(call, self._parts.rules.of(call.caller.org_id)):
            self._parts.observer.bypassed()
            return self._source.stream(call)
        return self._cached(call)

    async def _cached(self, call: ChatCall) -> AsyncGenerator[ChatEvent, None]:
        parts = self._parts
        org_id = call.caller.org_id
        chain = parts.registry.current(org_id).chat_chain
        key = cache_key(call, parts.rules.of(org_id), chain, parts.embedder.model())
        hit, vector = await self._looked_up(call, key)
        if hit is not None:
            parts.observer.found(hit)
            for event in replayed(hit):
                yield event
            return
        parts.observer.missed(call.options.cache)
        recording = AnswerRecording(self._limits.answer_chars)
        async with aclosing(self._source.stream(call)) as events:
            async for event in events:
                if isinstance(event, Completed):
                    # Before the last event: whoever gets that one asks for nothing more.
                    await self._keep(key, vector, recording.answer(event, parts.clock.now()))
                else:
                    recording.add(event)
                yield event

    async def _looked_up(self, call: ChatCall, key: CacheKey) -> tuple[Hit | None, _Vector]:
        """The hit, if there is one, and the vector of the last message where meaning may decide."""
        limits, options = self._limits, call.options
        lookup = CacheLookup(
            key=key,
            vector=(),
            min_similarity_ppm=max(
                options.cache_min_similarity_ppm or limits.min_similarity_ppm, limits.least_similarity_ppm
            ),
            max_age_s=min(options.cache_max_age_s or limits.max_age_s, limits.max_age_s),
            now=self._parts.clock.now(),
        )
        hit = await self._found(call, lookup)
        if hit is not None or not key.family:
            return hit, ()
        vector = await self._vector(call)
        return (await self._found(call, replace(lookup, vector=vector)) if vector else None), vector

    async def _found(self, call: ChatCall, lookup: CacheLookup) -> Hit | None:
        try:
            hit = await self._parts.cache.find(lookup)
        except NexusError:
            self._parts.observer.failed()
            return None
        if hit is None:
            return None
        # An answer of a model that the organisation has no more is nobody's.
        return hit if hit.answer.model in self._parts.registry.current(call.caller.org_id).services else None

    async def _vector(self, call: ChatCall) -> _Vector:
        try:
            return (await self._parts.embedder.embed([call.request.messages[-1].text.strip()]))[0]
        except NexusError:
            # Without a vector the very same request still finds its answer.
            return ()

    async def _keep(self, key: CacheKey, vector: _Vector, answer: CachedAnswer | None) -> None:
        if answer is None:
            return
        # The arguments of tool calls hang on every word, so they are for the very same request only.
        meant = () if calls_tools(answer) else vector
        try:
            async with asyncio.timeout(self._limits.write_timeout_s):
                size = await self._parts.cache.put(key, meant, answer)
        except (NexusError, TimeoutError):
            self._parts.observer.failed()
        else:
            self._parts.observer.holds(size)
