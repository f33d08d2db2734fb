"""Start a run: check it, store it, and only then hand it to the runner."""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, dataclass, field

from orchestrator.domain.agent_config import RequestedLimits, limits_within
from orchestrator.domain.chat import Catalogue
from orchestrator.domain.routing import DEFAULT_ROUTING, Routing
from orchestrator.domain.run import NewRun, Run
from orchestrator.ports.agent_config import AgentConfigSource
from orchestrator.ports.model_catalog import ModelCatalog
from orchestrator.ports.run_runner import RunRunner
from orchestrator.ports.run_store import RunStore
from orchestrator.use_cases.prepare_run import unknown_model_message
from shared.auth.principal import Principal
from shared.clock import Clock
from shared.errors import FieldViolation, InvalidInput, UpstreamDown
from shared.ids import IdSource


@dataclass(frozen=True, slots=True)
class Question:
    """What a caller asks. Empty: a new conversation, the organisation's model, a request id of our own."""

    text: str
    conversation_id: str = ""
    model: str = ""
    limits: RequestedLimits = field(default_factory=RequestedLimits)
    request_id: str = ""
    routing: Routing = DEFAULT_ROUTING
    channel: str = ""

    def fingerprint(self) -> str:
        """Return a digest of what is asked: two requests with one id must have the same."""
        limits = [self.limits.max_steps, self.limits.max_tool_calls, self.limits.timeout_s]
        asked: list[object] = [self.text, self.conversation_id, self.model, limits]
        if self.routing != DEFAULT_ROUTING:
            asked.append(astuple(self.routing))
        if self.channel:
            asked.append(self.channel)
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


class StartRun:
    """Accepts questions."""

    def __init__(
        self,
        runs: RunStore,
        runner: RunRunner,
        config: AgentConfigSource,
        catalog: ModelCatalog,
        clock: Clock,
        new_id: IdSource,
    ) -> None:
        self._runs = runs
        self._runner = runner
        self._config = config
        self._catalog = catalog
        self._clock = clock
        self._new_id = new_id

    async def __call__(self, principal: Principal, question: Question) -> Run:
        """Return the run, stored and waiting. Idempotent by (organisation, user, request id).

        Raises:
            InvalidInput: QUESTION_EMPTY, MODEL_UNKNOWN, RESIDENCY_CONFLICT.
            NotFound: CONVERSATION_NOT_FOUND.
            AlreadyExists: REQUEST_ID_REUSED.
            QuotaExceeded: TOO_MANY_RUNS.
            UpstreamDown: when storage or settings cannot be used, or STOPPING.
        """
        if not question.text.strip():
            raise InvalidInput(
                "QUESTION_EMPTY",
                "The question is blank. Write what you want to know.",
                violations=[FieldViolation("question", "must not be blank")],
            )
        self._runner.check_room()
        if question.model:
            await self._check_model(question.model)
        config = await self._config.agent_config()
        accepted = await self._runs.accept(
            NewRun(
                run_id=self._new_id(),
                principal=principal,
                request_id=question.request_id or self._new_id(),
                fingerprint=question.fingerprint(),
                conversation_id=question.conversation_id,
                new_conversation_id=self._new_id(),
                question=question.text,
                model=question.model,
                limits=limits_within(config, question.limits),
                created_at=self._clock.now(),
                routing=question.routing,
                channel=question.channel,
            )
        )
        if not accepted.run.status.final:
            self._runner.submit(accepted.run.ticket)
        return accepted.run

    async def _check_model(self, name: str) -> None:
        try:
            catalogue = await self._catalog.catalogue()
            if not _is_chat_model(catalogue, name):
                # It may have been added this very second.
                catalogue = await self._catalog.catalogue(anew=True)
        except UpstreamDown:
            # The run is durable: whether the model exists is found out when the router is back.
            return
        if not _is_chat_model(catalogue, name):
            raise InvalidInput(
                "MODEL_UNKNOWN",
                unknown_model_message(catalogue, name),
                metadata={"model": name[:200]},
                violations=[FieldViolation("model", "is not a configured chat model")],
            )


def _is_chat_model(catalogue: Catalogue, name: str) -> bool:
    return any(model.chat and model.name == name for model in catalogue.models)
