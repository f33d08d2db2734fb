"""What a 403 says, in the shapes in which providers document it."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from provider_router.adapters.http.faults import fault_of_status
from shared.errors import NexusError

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def forbidden(body: object) -> NexusError:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return fault_of_status("p", 403, {}, raw, NOW)


KEY = {
    "OpenAI, scopes": {"error": {"message": "You have insufficient permissions for this operation.", "type": "x"}},
    "OpenAI, country": {
        "error": {"code": "unsupported_country_region_territory", "message": "Not here", "type": "request_forbidden"}
    },
    "Anthropic": {"type": "error", "error": {"type": "permission_error", "message": "Your key may not."}},
    "Gemini": {
        "error": {"code": 403, "message": "Your project has been denied access.", "status": "PERMISSION_DENIED"}
    },
    "Gemini, in a list": [{"error": {"code": 403, "message": "No.", "status": "PERMISSION_DENIED"}}],
    "OpenRouter": {"error": {"code": 403, "message": "No.", "metadata": {"error_type": "permission_denied"}}},
    "a text": {"error": "Invalid API key"},
    "a message alone": {"message": "Not authorized"},
    "nothing": b"",
    "white space": b" \n",
}
MODERATED = {
    "OpenRouter": {
        "error": {
            "code": 403,
            "message": "openai/gpt-6 requires moderation. Your input was flagged for violence.",
            "metadata": {"reasons": ["violence"], "flagged_input": "...", "provider_name": "OpenAI"},
        }
    },
    "OpenRouter, fields alone": {"error": {"code": 403, "message": "No.", "metadata": {"flagged_input": "x"}}},
    "OpenRouter, policy": {
        "error": {"code": 403, "message": "No.", "metadata": {"error_type": "content_policy_violation"}}
    },
    "OpenRouter, guardrail": {
        "type": "error",
        "error": {"type": "permission_error", "message": "Request blocked: prompt injection patterns detected"},
    },
    "Azure": {"error": {"code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
}
UNCLEAR = {
    "page of a firewall": b"<html><body>Access denied: your key</body></html>",
    "another error": {"error": {"type": "invalid_request_error", "message": "No."}},
    "no error": {"detail": 5},
    "a number": b"5",
    "an empty list": b"[]",
    "odd types": {"error": {"type": ["x"], "code": {"y": 1}, "metadata": 7, "innererror": []}},
    "no text": b"\xff\xfe",
}


@pytest.mark.parametrize("name", KEY)
def test_a_403_that_speaks_of_the_key_retires_it(name: str) -> None:
    assert forbidden(KEY[name]).reason == "PROVIDER_REFUSED_KEY"


@pytest.mark.parametrize("name", MODERATED)
def test_a_403_for_a_moderated_prompt_is_the_callers_and_retires_no_key(name: str) -> None:
    assert forbidden(MODERATED[name]).reason == "PROVIDER_REFUSED_REQUEST"


def test_the_caller_is_told_what_moderation_said() -> None:
    error = forbidden(MODERATED["OpenRouter"])
    assert "flagged for violence" in error.message
    assert "HTTP 403" in error.message


def test_a_model_that_the_key_may_not_use_is_missing() -> None:
    error = {"message": "Project x does not have access to model y", "type": "z", "code": "model_not_found"}
    assert forbidden({"error": error}).reason == "PROVIDER_MODEL_MISSING"


@pytest.mark.parametrize("name", UNCLEAR)
def test_an_unclear_403_retires_no_key(name: str) -> None:
    assert forbidden(UNCLEAR[name]).reason == "PROVIDER_ERROR"
