"""Prepare a run: choose the model and the way in which it calls tools."""

from __future__ import annotations

from orchestrator.domain.agent_state import AgentState
from orchestrator.domain.chat import Catalogue, ModelInfo
from orchestrator.domain.errors import FailureReason, RunFailure
from orchestrator.domain.fallback import TROUBLES, substitutes
from orchestrator.domain.prompts import TroublesWarning
from orchestrator.ports.model_catalog import ModelCatalog
from orchestrator.ports.prompt_book import PromptBook
from orchestrator.use_cases.run_work import RunWork
from shared.errors import NexusError

NATIVE = "native"
GUIDED = "guided"


class PrepareRun:
    """The first node of the graph."""

    def __init__(self, catalog: ModelCatalog, prompts: PromptBook) -> None:
        self._catalog = catalog
        self._prompts = prompts

    async def __call__(self, work: RunWork) -> AgentState:
        """Return what is chosen. That only the demonstration is left of what was configured is told.

        Raises:
            RunFailure: MODEL_UNKNOWN, or NO_CHAT_MODEL when none is configured.
            UpstreamDown: when the router does not answer.
        """
        name = work.run.requested_model or work.config.default_model
        catalogue = await self._catalog.catalogue()
        chosen = chat_model(catalogue, name)
        state = _chosen(name, chosen)
        if chosen.demonstration and not name and catalogue.troubles:
            warning = self._prompts.render(TroublesWarning(chosen.name, " ".join(catalogue.troubles)))
            state["warned"] = work.warn_once(TROUBLES, warning, [])
        return state

    async def instead(self, state: AgentState, error: NexusError) -> list[AgentState]:
        """Return what may be chosen after `error` of a call that offered tools, best first: models not offered any.

        Raises:
            UpstreamDown: when the router does not answer.
        """
        models = (await self._catalog.catalogue()).models
        found = substitutes(models, state.get("model", ""), error)
        return [{**_chosen(name, model), "strategy": GUIDED} for name, model in found]


def _chosen(name: str, info: ModelInfo) -> AgentState:
    return AgentState(
        model=name,
        expected_model=info.name,
        strategy=NATIVE if info.tool_calling else GUIDED,
        context_length=info.context_length,
        demonstration=info.demonstration,
    )


def chat_model(catalogue: Catalogue, name: str) -> ModelInfo:
    """Return the chat model with this name; for an empty name the one that the router is expected to choose.

    Since tools are offered, that is the first which calls tools, of those that the router may choose; where none does,
    the first of them.

    Raises:
        RunFailure: MODEL_UNKNOWN, NO_CHAT_MODEL.
    """
    chat = [model for model in catalogue.models if model.chat]
    if not chat:
        advice = "" if catalogue.troubles else " Add a provider to config/providers.yaml."
        raise RunFailure(
            FailureReason.NO_CHAT_MODEL, catalogue.with_troubles(f"There is no chat model that can be used.{advice}")
        )
    if not name:
        routable = [model for model in chat if model.routable] or chat
        return next((model for model in routable if model.tool_calling), routable[0])
    for model in chat:
        if model.name == name:
            return model
    raise RunFailure("MODEL_UNKNOWN", unknown_model_message(catalogue, name))


def unknown_model_message(catalogue: Catalogue, name: str) -> str:
    """Return the sentence that says which models there are, and what keeps others from being used."""
    known = ", ".join(model.name for model in catalogue.models if model.chat) or "none"
    return catalogue.with_troubles(f"There is no chat model {name!r}. Configured: {known}.")
