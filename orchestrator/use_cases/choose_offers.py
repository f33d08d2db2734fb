"""Choose the tools that a model is offered: all of a few, and of many those that fit."""

from __future__ import annotations

from orchestrator.domain.agent_state import AgentState
from orchestrator.domain.events import Warned
from orchestrator.domain.prompts import ToolsNotChosenWarning
from orchestrator.domain.tools import Tool
from orchestrator.ports.prompt_book import PromptBook
from orchestrator.ports.tool_catalog import ToolCatalog
from orchestrator.use_cases.run_work import RunWork
from shared.errors import NexusError

MOST_WHOLE = 24
"""Up to so many tools are offered all."""
MOST_FITTING = 16
MOST_USED = 24
MOST_OFFERED = 128
"""The router takes no more."""
NOT_CHOSEN = "TOOLS_NOT_CHOSEN"


class ChooseOffers:
    """Keeps prompts small and models unconfused where there are hundreds of tools."""

    def __init__(self, catalog: ToolCatalog, prompts: PromptBook) -> None:
        self._catalog = catalog
        self._prompts = prompts

    async def __call__(self, work: RunWork, state: AgentState) -> tuple[Tool, ...]:
        """Return the tools to offer, by name: of many those that fit the question, and those used in the conversation.

        Where questions and tools cannot be compared now, as many as a model may be offered are, with a warning.

        Raises:
            UpstreamDown: when the tool executor does not list the tools.
        """
        tools = await self._catalog.tools(work.origin)
        if len(tools) <= MOST_WHOLE:
            return tools
        used = {call["tool"] for turn in state.get("turns", []) for call in turn["calls"]} | set(work.tools_used)
        offered = [tool for tool in tools if tool.name in used][:MOST_USED]
        try:
            offered += await self._catalog.fitting(work.origin, work.run.question, MOST_FITTING)
        except NexusError as error:
            offered += tools[: MOST_OFFERED - len(offered)]
            if not state.get("turns", []):
                warning = ToolsNotChosenWarning(str(min(len(tools), MOST_OFFERED)), error.message)
                work.events.note(Warned(NOT_CHOSEN, self._prompts.render(warning)))
        # By name, and each once: a prompt that stays the same between turns is cheaper.
        return tuple(tool for _, tool in sorted({tool.name: tool for tool in offered}.items()))
