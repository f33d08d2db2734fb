"""Estimates tasks by features and by the vector of the text."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict

from provider_router.adapters.task_classifier import TaskClassifier, embedded_part, prototypes
from provider_router.domain.calls.chat import ChatRequest
from provider_router.domain.decisions.route_request import Estimate
from provider_router.domain.tasks.estimate_task import estimate_task
from provider_router.domain.tasks.task_features import features_of, last_user_text
from provider_router.ports.local_embedder import LocalEmbedder
from shared.errors import NexusError

_BATCH = 8
_BATCH_PAUSE_S = 0.05
_LEAST_CHARS = 3
_NONE: tuple[int, ...] = ()


class EmbeddingTaskEstimator:
    """Implements `TaskEstimator`. Where there is no vector in time, features decide, and the method says so.

    `watch` must run beside it: it embeds the sentences that stand for the classes, a few at a time, and again when the
    model changes. Until it is done, features decide.

    Args:
        patient: Embeds those sentences; may take its time.
        hasty: Embeds requests: must answer or refuse within the time that an estimate may take.
        remembered: Texts whose likeness is kept, by hash; about 300 bytes each.
        look_s: Seconds between two looks at which model there is.
    """

    def __init__(
        self, patient: LocalEmbedder, hasty: LocalEmbedder, *, remembered: int = 10_000, look_s: float = 2.0
    ) -> None:
        self._patient = patient
        self._hasty = hasty
        self._remembered = remembered
        self._look_s = look_s
        self._model = ""
        self._classifier: TaskClassifier | None = None
        self._known: OrderedDict[bytes, tuple[int, ...]] = OrderedDict()

    async def estimate(self, request: ChatRequest) -> Estimate:
        """The estimate; its method is `features+embedding/1` where there was a vector, else `features/1`."""
        return estimate_task(
            features_of(request), await self._likeness(embedded_part(last_user_text(request.messages)))
        )

    async def watch(self) -> None:
        """Keeps the classifier fitted to the model that there is, until cancelled."""
        while True:
            await self.fit()
            await asyncio.sleep(self._look_s)

    async def fit(self) -> None:
        """Fits the classifier if the model is another one than the one that it was fitted to."""
        model = self._patient.model()
        if model == self._model:
            return
        self._model, self._classifier = "", None
        self._known.clear()
        if not model:
            return
        sentences = [(text, name) for name, texts in prototypes().items() for text in texts]
        vectors: list[tuple[float, ...]] = []
        try:
            for start in range(0, len(sentences), _BATCH):
                vectors += await self._patient.embed([text for text, _ in sentences[start : start + _BATCH]])
                # Requests come first: the model serves one call after the other.
                await asyncio.sleep(_BATCH_PAUSE_S)
        except NexusError:
            # The model may not be up yet; the next look tries again.
            return
        self._classifier = await asyncio.to_thread(TaskClassifier, vectors, [name for _, name in sentences])
        self._model = model

    async def _likeness(self, text: str) -> tuple[int, ...]:
        classifier = self._classifier
        if classifier is None or len(text) < _LEAST_CHARS or self._hasty.model() != self._model:
            return _NONE
        key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            return known
        try:
            vectors = await self._hasty.embed([text])
        except NexusError:
            return _NONE
        likeness = classifier.likeness(vectors[0])
        if likeness and classifier is self._classifier:
            self._known[key] = likeness
            if len(self._known) > self._remembered:
                self._known.popitem(last=False)
        return likeness
