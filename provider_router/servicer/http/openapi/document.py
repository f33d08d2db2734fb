"""The whole document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from provider_router.servicer.http.openapi import chats, messages, responses
from provider_router.servicer.http.openapi.headers import (
    answer_headers,
    embedding_headers,
    error_headers,
    plain_headers,
    routing_parameters,
    version_parameter,
)
from provider_router.servicer.http.openapi.shapes import Shape, listed, maybe, named, only, text, thing
from provider_router.servicer.http.routing_headers import OF_EMBEDDINGS

_ERRORS: Mapping[int, str] = {
    400: "The request is wrong, or no model may answer it.",
    401: "There is no API key, or nobody knows it.",
    402: "A budget is used up.",
    403: "The key's owner may not do this.",
    404: "There is no such model, or nothing at this path.",
    405: "The path takes another method.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    415: "The body is no JSON.",
    429: "A limit of the caller or of the provider is reached, or a budget used up.",
    431: "The head of the request is too large.",
    500: "Something broke inside Nexus.",
    502: "The provider failed.",
    503: "No model can answer now.",
    504: "The provider took too long.",
    529: "The provider is overloaded.",
}
_OF_ANTHROPIC_ONLY = frozenset({402, 529})
_MODEL = thing({"id": text(), "object": only("model"), "created": {"type": "integer"}, "owned_by": text()})
_MODEL_INFO = thing({"id": text(), "type": only("model"), "display_name": text(), "created_at": text()})
_SHARED: Shape = {
    "OpenAIError": thing(
        {"error": thing({"message": text(), "type": text(), "param": maybe(text()), "code": maybe(text())})}
    ),
    "Model": {"anyOf": [_MODEL, _MODEL_INFO]},
    "Models": {
        "anyOf": [
            thing({"object": only("list"), "data": listed(_MODEL)}),
            thing(
                {
                    "data": listed(_MODEL_INFO),
                    "has_more": {"type": "boolean"},
                    "first_id": maybe(text()),
                    "last_id": maybe(text()),
                }
            ),
        ]
    },
}


@dataclass(frozen=True, slots=True)
class _Operation:
    """One thing that can be asked of a surface.

    Attributes:
        name: Of the operation.
        path: Where.
        says: What it does.
        answer: Name of the answer's schema.
        request: Name of the request's schema; empty for none.
        is_streamed: Whether the answer may come as server-sent events.
        errors: Name of the schema of errors.
        parameters: Headers and the like.
        headers: Of a good answer.
    """

    name: str
    path: str
    says: str
    answer: str
    request: str = ""
    is_streamed: bool = False
    errors: str = "OpenAIError"
    parameters: Sequence[Shape] = ()
    headers: Shape = field(default_factory=plain_headers)


_ROUTING = routing_parameters()
_OF_CHATS = answer_headers()
_OF_MESSAGES = [version_parameter(), *_ROUTING]
_MODEL_NAME: Shape = {"name": "model", "in": "path", "required": True, "schema": text(256, least=1)}
_ERROR_OF_LISTS = "AnyError"
_OPERATIONS = (
    _Operation(
        "createChatCompletion",
        "/v1/chat/completions",
        "Answers a chat, as OpenAI's chat completions do.",
        "ChatCompletion",
        "ChatCompletionRequest",
        is_streamed=True,
        parameters=_ROUTING,
        headers=_OF_CHATS,
    ),
    _Operation(
        "createResponse",
        "/v1/responses",
        "Answers a chat, as OpenAI's responses do.",
        "Response",
        "ResponseRequest",
        is_streamed=True,
        parameters=_ROUTING,
        headers=_OF_CHATS,
    ),
    _Operation(
        "createMessage",
        "/v1/messages",
        "Answers a chat, as Anthropic's messages do.",
        "Message",
        "MessageRequest",
        is_streamed=True,
        errors="MessagesError",
        parameters=_OF_MESSAGES,
        headers=_OF_CHATS,
    ),
    _Operation(
        "countTokens",
        "/v1/messages/count_tokens",
        "Estimates the tokens of a message, without asking a provider.",
        "TokenCount",
        "CountTokensRequest",
        errors="MessagesError",
        parameters=[version_parameter()],
    ),
    _Operation(
        "createEmbeddings",
        "/v1/embeddings",
        "Makes vectors of texts.",
        "Embeddings",
        "EmbeddingsRequest",
        parameters=routing_parameters(OF_EMBEDDINGS),
        headers=embedding_headers(),
    ),
    _Operation(
        "listModels",
        "/v1/models",
        "Lists the models that the caller may use; in Anthropic's form where an `anthropic-version` is sent.",
        "Models",
        errors=_ERROR_OF_LISTS,
    ),
    _Operation(
        "getModel",
        "/v1/models/{model}",
        "Describes one of them, likewise.",
        "Model",
        errors=_ERROR_OF_LISTS,
        parameters=[_MODEL_NAME],
    ),
)


def document() -> Shape:
    """The document, OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Nexus gateway",
            "version": "1.0.0",
            "description": "OpenAI's and Anthropic's dialects in front of every model that Nexus may call.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:8055"}],
        "security": [{"bearer": []}, {"apiKey": []}],
        "paths": {**{each.path: {_method(each): _described(each)} for each in _OPERATIONS}, "/healthz": _health()},
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key of Nexus, `nxk_...`."},
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
            "schemas": {
                **chats.SCHEMAS,
                **messages.SCHEMAS,
                **responses.SCHEMAS,
                **_SHARED,
                _ERROR_OF_LISTS: {"anyOf": [named("OpenAIError"), named("MessagesError")]},
            },
            "responses": {
                f"{schema}{status}": _error(schema, status)
                for schema in ("OpenAIError", "MessagesError", _ERROR_OF_LISTS)
                for status in _statuses(schema)
            },
            "headers": {**error_headers(), **_OF_CHATS},
            "parameters": {each["name"]: each for each in [*_OF_MESSAGES, _MODEL_NAME]},
        },
    }


def document_json() -> bytes:
    """The document as it is checked in."""
    return orjson.dumps(document(), option=orjson.OPT_INDENT_2) + b"\n"


def _method(operation: _Operation) -> str:
    return "post" if operation.request else "get"


def _described(operation: _Operation) -> Shape:
    described: Shape = {
        "operationId": operation.name,
        "summary": operation.says,
        "responses": {"200": _answer(operation), **_errors(operation.errors)},
    }
    if operation.parameters:
        described["parameters"] = [_reference("parameters", each["name"]) for each in operation.parameters]
    if operation.request:
        described["requestBody"] = {"required": True, "content": _json(operation.request)}
    return described


def _answer(operation: _Operation) -> Shape:
    content = _json(operation.answer)
    if operation.is_streamed:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    return {"description": operation.says, "headers": _headers(operation.headers), "content": content}


def _errors(schema: str) -> Shape:
    return {str(status): _reference("responses", f"{schema}{status}") for status in _statuses(schema)}


def _error(schema: str, status: int) -> Shape:
    return {"description": _ERRORS[status], "headers": _headers(error_headers()), "content": _json(schema)}


def _statuses(schema: str) -> list[int]:
    return [status for status in _ERRORS if schema != "OpenAIError" or status not in _OF_ANTHROPIC_ONLY]


def _headers(headers: Shape) -> Shape:
    return {name: _reference("headers", name) for name in headers}


def _reference(kind: str, name: str) -> Shape:
    return {"$ref": f"#/components/{kind}/{name}"}


def _json(schema: str) -> Shape:
    return {"application/json": {"schema": named(schema)}}


def _health() -> Shape:
    content = {"application/json": {"schema": thing({"status": only("ok")})}}
    answer = {"description": "The gateway answers.", "content": content}
    return {
        "get": {
            "operationId": "getHealth",
            "summary": "Says that it answers.",
            "security": [],
            "responses": {"200": answer},
        }
    }
