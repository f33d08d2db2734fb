"""The tool `http_request`: talks to the hosts that an operator lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.errors import PreconditionFailed
from tool_executor.adapters.tool_definition_yaml import load_definition
from tool_executor.adapters.web.address import address_of
from tool_executor.adapters.web.web_gate_listed import HostList, ListedWebGate
from tool_executor.domain.http_credential import secrets_of, without
from tool_executor.domain.http_request import (
    IDEMPOTENCY_KEY,
    READING,
    checked_body,
    checked_headers,
    idempotency_key,
)
from tool_executor.domain.tool_call import CallContext, ToolFailure, ToolOutput, ToolStatus, invalid_arguments
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.domain.web_exchange import Admission, WebAnswer, WebFailure, WebFault, WebRequest
from tool_executor.domain.web_page import decoded, is_text
from tool_executor.ports.web_client import WebClient

_MAX_REDIRECTS = 5
_MARGIN_S = 1.0
_LEAST_S = 0.2
_SHOWN_HEADERS = 40
_SHOWN_VALUE_CHARS = 1_000
_UNSEEN = frozenset({"set-cookie", "set-cookie2"})
_REMEDY = (
    "HTTP requests are not configured. The operator lists the hosts to ask in NEXUS_TOOLS_HTTP_REQUEST_HOSTS "
    "(those of the internet) or NEXUS_TOOLS_HTTP_REQUEST_PRIVATE_HOSTS, and starts the mesh again."
)
_REASONS = {
    WebFault.REFUSED: "URL_REFUSED",
    WebFault.TOO_LARGE: "ANSWER_TOO_LARGE",
    WebFault.TIMEOUT: "REQUEST_TIMEOUT",
    WebFault.REDIRECTS: "TOO_MANY_REDIRECTS",
}


class HttpRequestTool:
    """Sends one request.

    Args:
        client: sends it.
        hosts: where to; an empty list makes the tool say what to set.
        max_bytes: most bytes of an answer.
    """

    def __init__(self, client: WebClient, hosts: HostList, *, max_bytes: int) -> None:
        self._client = client
        self._hosts = hosts
        self._max_bytes = max_bytes
        definition = load_definition("http_request")
        note = f"The hosts: {hosts}." if hosts else f"Cannot be used now. {_REMEDY}"
        self._definition = replace(definition, description=f"{definition.description} {note}")

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself, with the hosts that are listed."""
        return self._definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Send the request in `arguments`, once; an answer is a result, whatever its status.

        GET and HEAD are led on to other listed hosts; anything else is not, and its redirect is the answer.

        Raises:
            PreconditionFailed: HTTP_REQUEST_NOT_CONFIGURED, with what to set.
            ToolFailure: URL_REFUSED, HEADER_REFUSED, BODY_REFUSED, ANSWER_TOO_LARGE, REQUEST_TIMEOUT,
                TOO_MANY_REDIRECTS or REQUEST_FAILED.
        """
        if not self._hosts:
            raise PreconditionFailed("HTTP_REQUEST_NOT_CONFIGURED", _REMEDY)
        request = self._request(arguments, call)
        gate = ListedWebGate(self._hosts, call.principal.org_id)
        try:
            address = address_of(request.url)
            admission = await gate.admit(address)
            _keep_ours(request, admission)
            if call.dry_run:
                return _planned(replace(request, url=address.url), admission)
            answer = await self._client.send(request, gate)
        except WebFailure as failure:
            raise _told(failure, request.method) from failure
        return _output(request.method, answer, self._secrets())

    def _request(self, arguments: JsonObject, call: CallContext) -> WebRequest:
        method = str(arguments.get("method", "GET"))
        headers = checked_headers(arguments)
        body = checked_body(arguments, method, headers)
        if method not in READING and call.request_id:
            headers[IDEMPOTENCY_KEY] = idempotency_key(call.principal.org_id, call.request_id)
        return WebRequest(
            str(arguments["url"]).strip(),
            max(_LEAST_S, call.timeout_s - _MARGIN_S),
            self._max_bytes,
            method=method,
            headers=headers,
            body=body,
            max_redirects=_MAX_REDIRECTS,
        )

    def _secrets(self) -> Sequence[str]:
        """Return what no answer may show: one host may know the credentials of another."""
        return [secret for credential in self._hosts.credentials for secret in secrets_of(credential.headers)]


def _keep_ours(request: WebRequest, admission: Admission) -> None:
    """Refuse headers that would stand in the way of the operator's."""
    ours = {name.lower() for name in admission.headers}
    taken = [name for name in request.headers if name.lower() in ours]
    if taken:
        raise invalid_arguments("HEADER_REFUSED", f"{taken[0]} is set by the tool for this host; leave it out.")


def _planned(request: WebRequest, admission: Admission) -> ToolOutput:
    """Return what would be sent, secrets struck out."""
    headers = {**request.headers, **dict.fromkeys(admission.headers, "[secret]")}
    value: JsonObject = {
        "method": request.method,
        "url": request.url,
        "sent": False,
        "request_headers": headers,
        "request_bytes": len(request.body),
    }
    return ToolOutput(
        value, f"Would send {request.method} {request.url} with {len(request.body):,} bytes. Nothing was sent."
    )


def _output(method: str, answer: WebAnswer, secrets: Sequence[str]) -> ToolOutput:
    text = decoded(answer.body, answer.charset) if is_text(answer.body) else ""
    headers: dict[str, str] = {}
    for name, said in answer.headers:
        if name.lower() not in _UNSEEN and len(headers) < _SHOWN_HEADERS:
            headers[without(secrets, name.lower())] = without(secrets, said)[:_SHOWN_VALUE_CHARS]
    url = without(secrets, answer.url)
    value: JsonObject = {
        "method": method,
        "url": url,
        "sent": True,
        "status": answer.status,
        "headers": headers,
        "media_type": without(secrets, answer.media_type),
        "body": without(secrets, text),
        "body_bytes": len(answer.body),
    }
    no_text = " that are no text" if answer.body and not text else ""
    return ToolOutput(value, f"{method} {url} answered {answer.status} with {len(answer.body):,} bytes{no_text}.")


def _told(failure: WebFailure, method: str) -> ToolFailure:
    reason = _REASONS.get(failure.fault, "REQUEST_FAILED")
    if failure.fault is WebFault.REFUSED:
        return invalid_arguments(reason, failure.message)
    unsure = "" if method in READING else " It may have taken effect all the same: look before you try again."
    status = ToolStatus.TIMEOUT if failure.fault is WebFault.TIMEOUT else ToolStatus.ERROR
    return ToolFailure(reason, f"{failure.message}{unsure}", status=status)
