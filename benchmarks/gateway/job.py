"""What the load generator is told to do, and what it says of it; both are lines of JSON between two processes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how a model is asked for.

    Attributes:
        port: Of loopback.
        model: As the gateway knows it; `{}` stands for the upstream's model.
        path: Of the request.
        headers: Beside those that every request has.
    """

    port: int
    model: str = "{}"
    path: str = "/v1/chat/completions"
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


@dataclass(frozen=True, slots=True)
class Job:
    """Load for one measurement.

    Attributes:
        endpoint: Where to.
        model: The upstream's model.
        pieces: Of each streamed answer; 0 for whole answers.
        connections: Kept open; each has one answer at a time.
        answers: How many are asked for in all; 0 for as many as come within `seconds`.
        seconds: How long to ask.
        rate: Requests a second, each at its time whether or not others are answered; 0 for each after the one before.
            What is rated takes a connection that rests, and opens one where none does.
    """

    endpoint: Endpoint
    model: str
    pieces: int = 0
    connections: int = 1
    answers: int = 0
    seconds: float = 0.0
    rate: float = 0.0

    def request(self) -> bytes:
        """Return the bytes of the request."""
        body: dict[str, object] = {
            "model": self.endpoint.model.format(self.model),
            "messages": [
                {"role": "system", "content": "You are a friendly assistant. Answer in one sentence."},
                {"role": "user", "content": "Good morning! How does the day begin?"},
            ],
            "max_tokens": 200,
        }
        if self.pieces:
            body["stream"] = True
        sent = json.dumps(body, separators=(",", ":")).encode()
        headers = {
            "host": f"127.0.0.1:{self.endpoint.port}",
            "content-type": "application/json",
            "content-length": str(len(sent)),
            **self.endpoint.headers,
        }
        lines = [f"POST {self.endpoint.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + sent

    def line(self) -> bytes:
        """Return it as a line."""
        return json.dumps(asdict(self)).encode() + b"\n"


def job_of(line: bytes) -> Job:
    """Return the job of a line."""
    fields: dict[str, Any] = json.loads(line)
    endpoint = Endpoint(**fields.pop("endpoint"))
    return Job(endpoint, **fields)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job went.

    Attributes:
        answers: How many were whole and right.
        wrong: How many were not, with what the first of them was.
        seconds: From the first request to the last answer.
        latencies_ms: From a request to the end of its answer; of rated jobs.
        first_ms: From a request to the first byte of its answer's body; of rated jobs.
        pieces: Of all streamed answers.
    """

    answers: int = 0
    wrong: int = 0
    what: str = ""
    seconds: float = 0.0
    latencies_ms: Sequence[float] = ()
    first_ms: Sequence[float] = ()
    pieces: int = 0

    def line(self) -> bytes:
        """Return it as a line."""
        return json.dumps(asdict(self)).encode() + b"\n"


def outcome_of(line: bytes) -> Outcome:
    """Return the outcome of a line."""
    return Outcome(**json.loads(line))
