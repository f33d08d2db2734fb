"""What a caller's `model` means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

AUTO = "auto"
"""Names no model and asks for free choice, where an empty name would follow the operator's chain."""


@dataclass(frozen=True, slots=True)
class AskedModel:
    """What to choose among. At most one field is set; none for free choice.

    Attributes:
        model: One model, `provider/model`, or a name that no model has.
        provider: All models of a provider.
        chain: The operator's chain.
    """

    model: str = ""
    provider: str = ""
    chain: tuple[str, ...] = ()


def asked_model(name: str, tier: str, chat_chain: Sequence[str]) -> AskedModel:
    """Reads `provider/model`, `provider/`, `auto`, or nothing.

    The operator's chain is followed by those who ask for nothing at all: a tier is a wish that a fixed order would
    ignore.
    """
    if name == AUTO:
        return AskedModel()
    if name.endswith("/") and name.count("/") == 1:
        return AskedModel(provider=name[:-1])
    if name:
        return AskedModel(model=name)
    return AskedModel() if tier else AskedModel(chain=tuple(chat_chain))
