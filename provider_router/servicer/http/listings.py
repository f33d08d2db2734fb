"""Serves lists of models, in the dialect of who asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from provider_router.domain.contracts.contract import Operation
from provider_router.domain.contracts.service import Service
from provider_router.servicer.http.model_names import ModelNames, unlisted
from provider_router.servicer.http.openai_chat.models import model_body, models_body
from provider_router.servicer.http.routes import speaks_anthropic
from provider_router.servicer.http.visit import Visit
from provider_router.use_cases.list_models import ListedModels, ListModels

# Nobody says when a model was made; Anthropic's API has the epoch for that.
_UNKNOWN_DATE = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class ServeListings:
    """Serves a visit to `/v1/models`, and to one model of it below `/v1/models/`.

    Attributes:
        listed: Lists models.
        names: Of models.
        path: Of the list, with `/` at its end.
    """

    listed: ListModels
    names: ModelNames
    path: str

    async def __call__(self, visit: Visit) -> None:
        """Answers.

        Raises:
            InvalidInput: MODEL_UNKNOWN.
        """
        request, org_id = visit.request, visit.who().org_id
        listed, choices = self.listed(org_id), self.names.choices(org_id)
        name = request.path.removeprefix(self.path) if request.path.startswith(self.path) else ""
        if speaks_anthropic(request):
            infos = _infos(listed, choices)
            visit.send(orjson.dumps(_info_of(name, infos) if name else _page(infos)))
        else:
            visit.send(model_body(listed, choices, name) if name else models_body(listed, choices))


def _info_of(name: str, infos: Mapping[str, Any]) -> Mapping[str, Any]:
    if name not in infos:
        raise unlisted(name, infos)
    return infos[name]


def _infos(listed: ListedModels, choices: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    """The models that chat, as Anthropic describes models, by name."""
    chats = [each.service for each in listed.models if each.service.does(Operation.CHAT)]
    return {name: _info(name) for name in choices} | {each.name: _info(each.name, each) for each in chats}


def _info(name: str, service: Service | None = None) -> Mapping[str, Any]:
    known = service.contract.capabilities if service else None
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": _UNKNOWN_DATE,
        "lifecycle": "active",
        "max_input_tokens": (known.context_length or None) if known else None,
        "max_tokens": (known.max_output_tokens or None) if known else None,
    }


def _page(infos: Mapping[str, Any]) -> Mapping[str, Any]:
    """All of them on one page, however many are asked for."""
    names = list(infos)
    return {
        "data": list(infos.values()),
        "has_more": False,
        "first_id": names[0] if names else None,
        "last_id": names[-1] if names else None,
    }
