"""What a service lacks for a request, in the words of who asked."""

from __future__ import annotations

from collections.abc import Sequence

from provider_router.domain.calls.callers_words import JSON_SCHEMA, place_of, said_in, words_of
from provider_router.domain.calls.chat import CallersBody
from provider_router.domain.contracts.service import Service
from provider_router.domain.decisions.decision import Rejected, Rejection
from provider_router.domain.decisions.route_request import RouteRequest
from shared.value import value

LET_DROP = "have that dropped: `x-nexus-drop-unsupported: true`"


@value
class Asked:
    """What was asked: its features, and the body that its caller wrote; None where that is not known."""

    request: RouteRequest
    body: CallersBody | None


@value
class Lack:
    """What a service lacks.

    Attributes:
        detail: A few words; may be empty.
        fields: Of the caller's body, that ask for it.
        advice: A sentence, after a space; empty for none.
    """

    detail: str
    fields: Sequence[str] = ()
    advice: str = ""


def lack_of(rejection: Rejection, service: Service, asked: Asked) -> Lack:
    """What `service` lacks, for which it was rejected."""
    body = asked.body
    if rejection.reason is Rejected.PARAMETER:
        return _parameters(service, asked)
    if rejection.reason is Rejected.CONTEXT_LENGTH:
        context = service.contract.capabilities.context_length
        need = f"the prompt has about {asked.request.input_tokens} tokens, the context {context}"
        return Lack(need, (said_in(body),) if body else ())
    if body is None:
        return Lack(rejection.detail)
    if rejection.reason is Rejected.MODALITY_IN:
        place = place_of(body, asked.request.input_modalities - service.contract.capabilities.input_modalities)
        return Lack(f"{rejection.detail}; see {place}", (place,))
    return Lack(rejection.detail, _fields(rejection, body))


def _parameters(service: Service, asked: Asked) -> Lack:
    traits = service.contract.traits
    names = words_of(asked.body, sorted(name for name in asked.request.parameters if traits.get(name) is False))
    detail = f"takes no {', '.join(names)}"
    return Lack(detail, names, f" Leave that out, or {LET_DROP}.") if asked.body else Lack(detail)


def _fields(rejection: Rejection, body: CallersBody) -> Sequence[str]:
    if rejection.reason is Rejected.TOOL_CALLING:
        return ("tools",)
    if rejection.reason is Rejected.JSON_SCHEMA:
        return words_of(body, (JSON_SCHEMA,))
    return ("model",) if rejection.reason is Rejected.OPERATION else ()
