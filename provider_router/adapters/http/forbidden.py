"""What an answer of status 403 is about: the key, the model, or the prompt.

Providers use it for all three. OpenAI: a key without the permission, a country that is not served
(`request_forbidden`), a model that the project may not use (`model_not_found`). Anthropic: `permission_error`. Gemini:
the status `PERMISSION_DENIED`, the error within a list where it speaks OpenAI's dialect. OpenRouter: a prompt that
moderation flagged (with `flagged_input` and `reasons`, or `content_policy_violation`), or that a guardrail blocked:
on its Messages surface a `permission_error` whose message begins with `Request blocked`. Perplexity documents none.

A key that is retired by mistake is gone for everybody, by one prompt of one caller; so only what speaks of the key, or
says nothing at all, retires one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import orjson

from provider_router.domain.errors import Reason

_MODERATED = (
    "moderat",
    "content_policy",
    "content policy",
    "content_filter",
    "policy_violation",
    "policyviolation",
    "safety",
    "guardrail",
    "flagged",
    "request blocked",
)
_MODERATION_FIELDS = frozenset({"flagged_input", "reasons"})
_MODEL = ("model_not_found",)
_KEY = (
    "permission",
    "authenti",
    "authoriz",
    "forbidden",
    "api_key",
    "api key",
    "access_denied",
    "access denied",
    "denied access",
    "have access",
)


def reason_of_forbidden(body: bytes) -> Reason:
    """Why a call was answered with status 403.

    Returns:
        PROVIDER_REFUSED_REQUEST for a prompt that moderation refused, PROVIDER_MODEL_MISSING for a model that the key
        may not use, PROVIDER_REFUSED_KEY where the key is spoken of or nothing is said. PROVIDER_ERROR for anything
        else: a page of something that stands before the provider may well be about the prompt.
    """
    if not body.strip():
        return Reason.PROVIDER_REFUSED_KEY
    try:
        error = _error_of(orjson.loads(body))
    except orjson.JSONDecodeError:
        return Reason.PROVIDER_ERROR
    metadata = _object(error.get("metadata"))
    inner = _object(error.get("innererror"))
    named = (error.get("type"), error.get("code"), error.get("status"), metadata.get("error_type"), inner.get("code"))
    words = " ".join(str(each).lower() for each in (*named, error.get("message")) if each)
    if _MODERATION_FIELDS & metadata.keys() or _has(words, _MODERATED):
        return Reason.PROVIDER_REFUSED_REQUEST
    if _has(words, _MODEL):
        return Reason.PROVIDER_MODEL_MISSING
    return Reason.PROVIDER_REFUSED_KEY if _has(words, _KEY) else Reason.PROVIDER_ERROR


def _error_of(said: Any) -> Mapping[str, Any]:
    """The error object of a body, also where it stands in a list, is a text, or is the body itself."""
    if isinstance(said, list) and said:
        said = cast("list[Any]", said)[0]
    outer = _object(said)
    error = outer.get("error", outer)
    return {"message": error} if isinstance(error, str) else _object(error)


def _object(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _has(words: str, signs: Iterable[str]) -> bool:
    return any(sign in words for sign in signs)
