"""Headers of requests and of answers."""

from __future__ import annotations

from collections.abc import Collection

from provider_router.servicer.http.openapi.shapes import Shape, one_of, text

_NEXUS = "x-nexus-"
_REQUESTED: dict[str, tuple[Shape, str]] = {
    "tier": (text(pattern="^[\\x21-\\x7e]{1,64}$"), "Tier of the routing rules."),
    "data-class": (one_of("public", "internal", "confidential", "restricted"), "How sensitive the texts are."),
    "residency": (text(pattern="^[A-Za-z0-9_-]{1,32}(,[A-Za-z0-9_-]{1,32}){0,31}$"), "Regions that may process them."),
    "max-cost-usd": (text(pattern="^[0-9]{1,6}(\\.[0-9]{1,6})?$"), "Most that the answer may be expected to cost."),
    "timeout": (text(pattern="^[1-9][0-9]{0,3}$"), "Seconds for the whole call."),
    "conversation": (text(pattern="^[\\x21-\\x7e]{1,128}$"), "Keeps a conversation with one model."),
    "cache": (one_of("off", "exact", "semantic"), "Whether the answer may come from the cache."),
    "cache-max-age": (text(pattern="^[1-9][0-9]{0,6}$"), "Seconds."),
    "on-break": (one_of("fail", "continue"), "What to do when an answer breaks off."),
    "hedge": (one_of("true", "false"), "Whether a silent model may be raced by another."),
    "drop-unsupported": (one_of("true", "false"), "Whether to leave out what the model has no place for."),
}
_OF_ANSWERS = {
    "x-nexus-decision-id": "The decision that chose the model.",
    "x-nexus-provider": "Provider that answered.",
    "x-nexus-model": "`provider/model` that answered.",
    "x-nexus-attempts": "Models that were asked; 0 for an answer from the cache.",
    "x-nexus-cache": "`off`, `miss`, or `hit` with its age.",
    "x-nexus-cost-usd": "Cost of a whole answer; that of a stream is in its last comment.",
    "x-nexus-warnings": "What the model was not given, that its answer is bounded, that it is a demonstration.",
    "x-nexus-continued-by": "Models that went on where one broke off; of a stream they are in its last comment.",
}
_OF_EMBEDDINGS = ("decision-id", "provider", "model", "attempts", "cost-usd")


def routing_parameters(names: Collection[str] = _REQUESTED) -> list[Shape]:
    """The headers `names` by which a caller says how a request is to be routed."""
    return [
        {"name": f"{_NEXUS}{name}", "in": "header", "required": False, "schema": shape, "description": says}
        for name, (shape, says) in _REQUESTED.items()
        if name in names
    ]


def version_parameter() -> Shape:
    """The header by which Anthropic's clients say what they speak."""
    schema = one_of("2023-06-01", "2026-10-21")
    return {"name": "anthropic-version", "in": "header", "required": False, "schema": schema}


def answer_headers() -> Shape:
    """The headers of a good answer to a chat."""
    return {**_ids(), **{name: _header(says) for name, says in _OF_ANSWERS.items()}}


def embedding_headers() -> Shape:
    """The headers of vectors."""
    told = (f"{_NEXUS}{name}" for name in _OF_EMBEDDINGS)
    return {**_ids(), **{name: _header(_OF_ANSWERS[name]) for name in told}}


def plain_headers() -> Shape:
    """The headers of any answer."""
    return _ids()


def error_headers() -> Shape:
    """The headers of an error."""
    return {
        **_ids(),
        "x-nexus-reason": _header("Why, as one of a closed set of words."),
        "x-nexus-decision-id": _header("The decision over the request, where one was recorded."),
        "retry-after": _header("Whole seconds after which it may be tried again."),
        "retry-after-ms": _header("The same in milliseconds."),
        "x-should-retry": _header("`false` where the same request fails again."),
    }


def _ids() -> Shape:
    return {
        "x-request-id": _header("Of the request."),
        "request-id": _header("The same, as Anthropic's clients read it."),
    }


def _header(says: str) -> Shape:
    return {"schema": {"type": "string"}, "description": says}
