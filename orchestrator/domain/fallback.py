"""Answering with a model that calls no tools itself, where those that do could not be used."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from orchestrator.domain.chat import ModelInfo
from shared.errors import NexusError

_FAILED = "ALL_MODELS_FAILED"
_NO_ROUTE = "NO_ROUTE"
_NO_TOOLS = "UNSUPPORTED_CAPABILITY"
_NO_MONEY = frozenset({"BUDGET_EXHAUSTED", "PRICE_UNKNOWN"})

GUIDABLE = frozenset({_FAILED, _NO_ROUTE, _NO_TOOLS}) | _NO_MONEY
"""The router's reasons with which a model that is not asked to call tools may still answer."""
TROUBLES = "CONFIGURATION_PROBLEM"
"""The code of the warning that what is configured cannot be used, so that only the demonstration model is left."""
_TOLD = GUIDABLE - {_NO_TOOLS}


def substitutes(models: Sequence[ModelInfo], name: str, error: NexusError) -> list[tuple[str, ModelInfo]]:
    """Return which models may answer after `error`: the name to ask for, and what is expected to answer, best first.

    Where the router refused for want of a model that calls tools, it may choose again among those that do not. Where
    money is short, only what costs nothing will do; where models failed, only others. These are asked for by name: left
    to itself, the router would try again what has just failed. A model that somebody chose has no substitute.
    """
    if name:
        again = error.reason in (_NO_TOOLS, _NO_ROUTE)
        return [(name, model) for model in models if again and model.chat and model.name == name]
    left = [model for model in models if model.chat and model.routable and not model.tool_calling]
    left.sort(key=lambda model: model.demonstration)
    if error.reason in _NO_MONEY:
        return [(model.name, model) for model in left if model.free]
    if error.reason == _FAILED:
        # The router names the models that failed as keys of the metadata.
        return [(model.name, model) for model in left if model.name not in error.metadata]
    return [("", model) for model in left[:1]]


def must_be_told(reason: str) -> bool:
    """Return whether people should know of it: that no model calls tools is nothing new."""
    return reason in _TOLD


def fell_back(warned: Collection[str]) -> bool:
    """Return whether another model answers than the one that should have, by the codes of the warnings so far."""
    return TROUBLES in warned or not _TOLD.isdisjoint(warned)


def why_of(error: NexusError) -> str:
    """Return why the models that should have answered did not, and what to do: the end of a sentence."""
    why = error.metadata.get("why", "")
    if why:
        return f"{why}. `nexus providers list` shows how the providers are."
    short = "money is short" if error.reason in _NO_MONEY else "no model that calls tools itself may"
    return f"{short}: {error.message}"
