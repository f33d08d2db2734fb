from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from provider_router.adapters.http.faults import fault_in_stream, fault_of_status, sanitised
from provider_router.domain.errors import Reason, failure
from shared.errors import InvalidInput, NexusError, PreconditionFailed, UpstreamDown

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = "sk-proj-0123456789abcdef"


def fault(status: int, body: bytes = b"", **headers: str) -> NexusError:
    renamed = {name.replace("_", "-"): value for name, value in headers.items()}
    return fault_of_status("p", status, CIMultiDict(renamed), body, NOW)


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (301, UpstreamDown, "PROVIDER_BAD_RESPONSE"),
        (400, InvalidInput, "PROVIDER_REFUSED_REQUEST"),
        (401, PreconditionFailed, "PROVIDER_REFUSED_KEY"),
        (403, PreconditionFailed, "PROVIDER_REFUSED_KEY"),
        (404, PreconditionFailed, "PROVIDER_MODEL_MISSING"),
        (408, UpstreamDown, "PROVIDER_TIMEOUT"),
        (413, InvalidInput, "CONTEXT_TOO_LONG"),
        (422, InvalidInput, "PROVIDER_REFUSED_REQUEST"),
        (429, UpstreamDown, "PROVIDER_RATE_LIMITED"),
        (500, UpstreamDown, "PROVIDER_ERROR"),
        (503, UpstreamDown, "PROVIDER_ERROR"),
        (504, UpstreamDown, "PROVIDER_TIMEOUT"),
        (529, UpstreamDown, "PROVIDER_ERROR"),
    ],
)
def test_what_a_status_means(status: int, kind: type[NexusError], reason: str) -> None:
    error = fault(status)
    assert type(error) is kind
    assert error.reason == reason
    assert str(status) in error.message


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"code":"context_length_exceeded","message":"x"}}',
        b'{"error":{"type":"exceed_context_size_error"}}',
        b'{"error":{"message":"This model\'s maximum context length is 8192 tokens"}}',
        b'{"type":"error","error":{"message":"prompt is too long: 210000 tokens > 200000 maximum"}}',
        b'{"error":{"message":"input (3002 tokens) is too large to process."}}',
    ],
)
def test_too_much_text_is_known_by_its_signs(status: int, body: bytes) -> None:
    assert fault(status, body).reason == "CONTEXT_TOO_LONG"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Fri, 20 Nov 2026 12:01:00 GMT", 60.0),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0.0),
        ("99999999", 86400.0),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2000 00:00:00 +99999999999999999999", None),
        ("", None),
    ],
)
def test_when_to_try_again(value: str, seconds: float | None) -> None:
    assert fault(429, Retry_After=value).retry_after_s == seconds


@given(st.text(max_size=40))
def test_any_retry_header_is_understood_or_ignored(value: str) -> None:
    seconds = fault(429, Retry_After=value).retry_after_s
    assert seconds is None or 0 <= seconds <= 86400


def test_a_refused_request_says_what_the_provider_said() -> None:
    error = fault(400, b'{"error":{"message":"temperature must be at most 1."}}')
    assert error.message == "The provider 'p' refused the request (HTTP 400: temperature must be at most 1)."


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error":"x"}', b'{"error":{"message":5}}', b"\xff"])
def test_a_refusal_without_words(body: bytes) -> None:
    assert fault(400, body).message.startswith("The provider 'p' refused the request (HTTP 400")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_a_key_in_the_providers_words_is_never_passed_on(status: int) -> None:
    error = fault(status, f'{{"error":{{"message":"Incorrect API key provided: {KEY}."}}}}'.encode())
    assert KEY not in f"{error} {error.message} {error.metadata}"
    assert "0123456789" not in str(error)


@pytest.mark.parametrize(
    ("said", "passed_on"),
    [
        (f"key {KEY} is bad", "key [...] is bad"),
        ("see https://user:pw@host/x?k=1 now", "see [...] now"),
        ("header Bearer abc.def", "header [...]"),
        ("opaque AbCdEf0123456789AbCdEf0123456789 here", "opaque [...] here"),
        ("two\nlines\x00\x1b[31m", "two lines  [31m"),
        ("x " * 300, ("x " * 100).strip()),
    ],
)
def test_sanitised(said: str, passed_on: str) -> None:
    assert sanitised(said) == passed_on


def test_every_reason_has_a_class() -> None:
    for reason in Reason:
        error = failure(reason, "x")
        assert isinstance(error, NexusError)
        assert error.reason == reason.name


def test_an_error_may_be_deeper_than_it_can_be_written() -> None:
    assert fault_in_stream("p", orjson.loads("[" * 500 + "]" * 500)).reason == Reason.PROVIDER_ERROR
