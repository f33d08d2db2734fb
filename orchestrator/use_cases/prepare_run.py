"""Prepare a run: choose the model and the way in which it calls tools."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.domain.agent_state import AgentState
from orchestrator.domain.chat import ModelInfo
from orchestrator.domain.errors import FailureReason, RunFailure
from orchestrator.ports.model_catalog import ModelCatalog
from orchestrator.use_cases.run_work import RunWork

NATIVE = "native"
GUIDED = "guided"


class PrepareRun:
    """The first node of the graph."""

    def __init__(self, catalog: ModelCatalog) -> None:
        self._catalog = catalog

    async def __call__(self, work: RunWork) -> AgentState:
        """Return what is chosen.

        Raises:
            RunFailure: MODEL_UNKNOWN, or NO_CHAT_MODEL when none is configured.
            UpstreamDown: when the router does not answer.
        """
        name = work.run.requested_model or work.config.default_model
        return _chosen(name, chat_model(await self._catalog.models(), name))

    async def without_tool_calling(self, state: AgentState) -> AgentState | None:
        """Return what is chosen when no model that calls tools answers: one that does not; None when there is none.

        Raises:
            UpstreamDown: when the router does not answer.
        """
        name = state.get("model", "")
        models = [model for model in await self._catalog.models() if model.chat]
        left = [m for m in models if (m.name == name if name else m.routable and not m.tool_calling)]
        return {**_chosen(name, left[0]), "strategy": GUIDED} if left else None


def _chosen(name: str, info: ModelInfo) -> AgentState:
    return AgentState(
        model=name,
        expected_model=info.name,
        strategy=NATIVE if info.tool_calling else GUIDED,
        context_length=info.context_length,
        demonstration=info.demonstration,
    )


def chat_model(models: Sequence[ModelInfo], name: str) -> ModelInfo:
    """Return the chat model with this name; for an empty name the one that the router is expected to choose.

    Since tools are offered, that is the first which calls tools, of those that the router may choose; where none does,
    the first of them.

    Raises:
        RunFailure: MODEL_UNKNOWN, NO_CHAT_MODEL.
    """
    chat = [model for model in models if model.chat]
    if not chat:
        raise RunFailure(
            FailureReason.NO_CHAT_MODEL,
            "No chat model is configured. Add a provider to config/providers.yaml.",
        )
    if not name:
        routable = [model for model in chat if model.routable] or chat
        return next((model for model in routable if model.tool_calling), routable[0])
    for model in chat:
        if model.name == name:
            return model
    raise RunFailure("MODEL_UNKNOWN", unknown_model_message(models, name))


def unknown_model_message(models: Sequence[ModelInfo], name: str) -> str:
    """Return the sentence that says which models there are."""
    known = ", ".join(model.name for model in models if model.chat) or "none"
    return f"There is no chat model {name!r}. Configured: {known}."
