"""Writes models as OpenAI lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from provider_router.servicer.http.model_names import unlisted
from provider_router.use_cases.list_models import ListedModels

_OWNER = "nexus"


def models_body(listed: ListedModels, choices: Sequence[str]) -> bytes:
    """The JSON body of the list.

    Args:
        listed: The models.
        choices: Names that leave the choice to Nexus, such as `nexus/auto`.
    """
    return orjson.dumps({"object": "list", "data": [_model(*each) for each in _owners(listed, choices).items()]})


def model_body(listed: ListedModels, choices: Sequence[str], name: str) -> bytes:
    """The JSON body of the model `name`; the other arguments are those of `models_body`.

    Raises:
        InvalidInput: MODEL_UNKNOWN.
    """
    owners = _owners(listed, choices)
    if name not in owners:
        raise unlisted(name, owners)
    return orjson.dumps(_model(name, owners[name]))


def _owners(listed: ListedModels, choices: Sequence[str]) -> Mapping[str, str]:
    """Whose each model is, by its name."""
    own = {each.service.name: each.service.provider.name for each in listed.models}
    return {**dict.fromkeys(choices, _OWNER), **own}


def _model(name: str, owner: str) -> Mapping[str, Any]:
    # Nobody says when a model was made.
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}
