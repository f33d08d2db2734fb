"""What is served where, to whom, and what is said to everybody else."""

from __future__ import annotations

import orjson
import pytest
from router_fakes import service_of
from router_gateway import CHAT, KEY, MESSAGES, RESPONSES, SURFACES, body_of, gateway, stranger

from shared.auth.mesh_token import MeshTokens
from shared.clock import SystemClock
from shared.testing.harness import principal

ANTHROPIC = {"anthropic-version": "2023-06-01"}
PATHS = {CHAT: "POST", RESPONSES: "POST", MESSAGES: "POST", "/v1/messages/count_tokens": "POST"}
PATHS |= {"/v1/embeddings": "POST", "/v1/models": "GET", "/v1/models/one/chat": "GET"}


def message_in(body: bytes) -> str:
    """The message of an error, in either shape."""
    told = orjson.loads(body)
    assert set(told["error"]) in ({"message", "type", "param", "code"}, {"message", "type"})
    return told["error"]["message"]


async def test_health_needs_no_key() -> None:
    async with gateway() as gate:
        answer = await gate.http.get("/healthz", headers={"authorization": ""})
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/chat/completions", "/v1/chat/completions/", "/v1/models/"])
async def test_what_is_not_served_is_not_found(path: str) -> None:
    async with gateway() as gate:
        answer = await gate.http.get(path)
        assert (answer.status_code, answer.headers["x-nexus-reason"]) == (404, "PATH_UNKNOWN")
        assert answer.json()["error"]["code"] == "path_unknown"
        assert (await gate.http.get(path, headers=ANTHROPIC)).json()["error"]["type"] == "not_found_error"


@pytest.mark.parametrize("path", PATHS)
async def test_another_method_is_refused_with_the_right_one(path: str) -> None:
    async with gateway() as gate:
        answer = await gate.http.request("DELETE", path)
        assert (answer.status_code, answer.headers["allow"]) == (405, PATHS[path])
        assert message_in(answer.content)


@pytest.mark.parametrize("path", PATHS)
async def test_strangers_and_people_without_the_permission_are_refused(path: str) -> None:
    async with gateway() as gate:
        gate.keys.keys["nxk_none"] = stranger()
        method = PATHS[path]
        for credential, status in (("", 401), ("Bearer nxk_other", 401), ("Basic eA==", 401), ("Bearer nxk_none", 403)):
            answer = await gate.http.request(method, path, headers={"authorization": credential}, json={})
            assert answer.status_code == status, credential
            assert "nxk_" not in message_in(answer.content).replace("nxk_...", "")
            assert answer.headers["x-should-retry"] == "false"
        assert gate.answers.calls == []


@pytest.mark.parametrize(("path", "permission"), [(CHAT, "models.use"), ("/v1/models", "models.read")])
async def test_the_permission_is_that_of_the_rpc(path: str, permission: str) -> None:
    async with gateway() as gate:
        gate.keys.keys["nxk_some"] = stranger(permissions=(permission,))
        headers = {"authorization": "Bearer nxk_some"}
        answer = await gate.http.request(
            PATHS[path], path, json=body_of(path) if path == CHAT else None, headers=headers
        )
        assert answer.status_code == 200


async def test_a_key_may_come_in_either_header() -> None:
    async with gateway() as gate:
        for headers in (
            {"authorization": f"bearer {KEY}"},
            {"authorization": "", "x-api-key": KEY},
            {"x-api-key": KEY},
        ):
            assert (await gate.ask(headers=headers)).status_code == 200
        both = await gate.ask(headers={"x-api-key": "nxk_two"})
        assert (both.status_code, both.headers["x-nexus-reason"]) == (400, "CREDENTIALS_DIFFER")


async def test_tokens_of_the_mesh_are_not_taken() -> None:
    async with gateway() as gate:
        token = MeshTokens(b"0123456789abcdef0123456789abcdef-only-for-tests", SystemClock()).mint(principal(), "test")
        assert (await gate.ask(headers={"authorization": f"Bearer {token}"})).status_code == 401


async def test_the_caller_is_who_has_the_key() -> None:
    async with gateway() as gate:
        gate.keys.keys["nxk_ann"] = principal("org-b", "ann", ("user", "admin"), key_id="k-7")
        await gate.ask(headers={"authorization": "Bearer nxk_ann"})
        caller = gate.call.caller
        assert (caller.org_id, caller.user_id, caller.key_id) == ("org-b", "ann", "k-7")
        assert caller.roles == ("admin", "user")


@pytest.mark.parametrize("path", SURFACES)
@pytest.mark.parametrize("kind", ["", "text/plain", "application/json; charset=latin-1", "application/jsonp"])
async def test_only_json_is_taken(path: str, kind: str) -> None:
    async with gateway() as gate:
        answer = await gate.http.post(path, content=b"{}", headers={"content-type": kind})
        assert (answer.status_code, answer.headers["x-nexus-reason"]) == (415, "MEDIA_TYPE_UNSUPPORTED")
        packed = await gate.http.post(path, json={}, headers={"content-encoding": "gzip"})
        assert packed.status_code == 415


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "Application/JSON", 'application/json;charset="UTF-8"']
)
async def test_json_may_be_called_so_in_any_way(kind: str) -> None:
    async with gateway() as gate:
        body = orjson.dumps(body_of(CHAT))
        assert (await gate.http.post(CHAT, content=body, headers={"content-type": kind})).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b'{"model": NaN}',
        b"\xef\xbb\xbf{}",
        b'{"model": "\xff"}',
        b'{"model": "\\ud800"}',
        b"[" * 5000 + b"]" * 5000,
    ],
)
@pytest.mark.parametrize("path", SURFACES)
async def test_what_is_no_json_object_is_refused(path: str, body: bytes) -> None:
    async with gateway() as gate:
        answer = await gate.http.post(path, content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.headers["x-nexus-reason"]) == (400, "REQUEST_MALFORMED")


@pytest.mark.parametrize("path", SURFACES)
async def test_a_body_may_be_neither_too_large_nor_too_deep_nor_of_too_many_values(path: str) -> None:
    async with gateway() as gate:
        deep: object = []
        for _ in range(120):
            deep = [deep]
        json = {"content-type": "application/json"}
        assert (await gate.ask(path, padding="x" * 1024 * 1024)).status_code == 413
        assert (
            await gate.http.post(path, content=b'{"a":[' + b"[]," * 200_001 + b"[]]}", headers=json)
        ).status_code == 413
        refused = await gate.ask(path, metadata=deep)
        assert (refused.status_code, gate.answers.calls) == (400, [])
        # Marks within texts count for nothing.
        chatty = {"model": "one/chat", "input": "[,{" * 100_000} if path == RESPONSES else body_of(path)
        assert (await gate.ask(path, **{**chatty, "user" if path == CHAT else "model": "one/chat"})).status_code == 200


async def test_of_a_field_that_stands_twice_the_last_one_counts() -> None:
    async with gateway() as gate:
        body = orjson.dumps(body_of(CHAT))[:-1] + b',"model":"two/chat"}'
        await gate.http.post(CHAT, content=body, headers={"content-type": "application/json"})
        assert gate.call.options.model == "two/chat"


@pytest.mark.parametrize("path", SURFACES)
async def test_a_request_has_the_id_that_its_caller_gave_it_or_a_new_one(path: str) -> None:
    async with gateway() as gate:
        own = await gate.ask(path, headers={"x-request-id": "mine-1"})
        assert (own.headers["x-request-id"], own.headers["request-id"]) == ("mine-1", "mine-1")
        for bad in ("", "with space", "x" * 129, 'quote"'):
            made = (await gate.ask(path, headers={"x-request-id": bad})).headers["x-request-id"]
            assert made not in ("", bad)
            assert len(made) == 36
        refused = await gate.ask(path, model=5, headers={"x-request-id": "mine-2"})
        assert (refused.status_code, refused.headers["x-request-id"]) == (400, "mine-2")
        if path == MESSAGES:
            assert refused.json()["request_id"] == "mine-2"


async def test_models_are_listed_in_the_dialect_of_who_asks() -> None:
    async with gateway() as gate:
        listed = (await gate.http.get("/v1/models")).json()
        assert [each["id"] for each in listed["data"]][:4] == [
            "nexus/auto",
            "nexus/fast",
            "nexus/balanced",
            "nexus/deep",
        ]
        assert {"one/chat", "one/embed"} <= {each["id"] for each in listed["data"]}
        assert (await gate.http.get("/v1/models/one/chat")).json()["owned_by"] == "one"
        page = (await gate.http.get("/v1/models?limit=2", headers=ANTHROPIC)).json()
        assert (page["has_more"], page["first_id"], page["last_id"]) == (False, "nexus/auto", page["data"][-1]["id"])
        assert "one/embed" not in {each["id"] for each in page["data"]}
        info = (await gate.http.get("/v1/models/one/chat", headers=ANTHROPIC)).json()
        assert (info["type"], info["max_input_tokens"], info["max_tokens"]) == ("model", 4096, 1024)
        for headers in ({}, ANTHROPIC):
            missing = await gate.http.get("/v1/models/one/none", headers=headers)
            assert missing.status_code == 404
            message = message_in(missing.content)
            assert "There are: nexus/auto, nexus/fast" in message
            assert "one/chat" in message
            assert "`GET /v1/models` lists all" in message


async def test_of_very_many_models_some_are_named() -> None:
    async with gateway(services=tuple(service_of(f"one/m{number}") for number in range(40))) as gate:
        message = message_in((await gate.http.get("/v1/models/nope")).content)
        assert "and 24 more" in message
        assert len(message) < 500


async def test_embeddings() -> None:
    async with gateway() as gate:
        headers = {
            "x-nexus-data-class": "restricted",
            "x-nexus-residency": "EU, ch",
            "x-nexus-max-cost-usd": "0.5",
            "x-nexus-timeout": "2",
            "x-nexus-conversation": "c-1",
        }
        for model in ("one/embed", "embed", "nexus/auto", "auto"):
            answer = await gate.http.post("/v1/embeddings", json={"model": model, "input": ["a", "b"]}, headers=headers)
            assert answer.status_code == 200
            assert len(answer.json()["data"]) == 2
            assert answer.json()["model"] == "embed"
            told = {name: value for name, value in answer.headers.items() if name.startswith("x-nexus-")}
            assert told == {
                "x-nexus-decision-id": "d-2",
                "x-nexus-provider": "one",
                "x-nexus-model": "one/embed",
                "x-nexus-attempts": "2",
                "x-nexus-cost-usd": "0.000007",
            }
        caller, model, texts, handling = gate.embedded[-1]
        assert (caller.key_id, model, list(texts)) == ("k-1", "one/embed", ["a", "b"])
        assert (handling.data_class.name, handling.residency) == ("RESTRICTED", {"eu", "ch"})
        assert (handling.max_cost_micro_usd, handling.timeout_ms, handling.conversation_id) == (500_000, 2000, "c-1")
        assert (await gate.http.post("/v1/embeddings", json={"model": "chat", "input": "a"})).status_code == 404
        chat = await gate.http.post("/v1/embeddings", json={"model": "one/chat", "input": "a"})
        assert chat.headers["x-nexus-reason"] == "UNSUPPORTED_CAPABILITY"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("tier", "fast", "has no meaning for embeddings"),
        ("cache", "exact", "has no meaning for embeddings"),
        ("hedge", "false", "has no meaning for embeddings"),
        ("drop-unsupported", "true", "has no meaning for embeddings"),
        ("data-class", "secret", "must be one of"),
        ("timeout", "0", "must be seconds"),
        ("data-clas", "public", "is no header of Nexus"),
    ],
)
async def test_headers_that_embeddings_cannot_follow_are_refused_by_name(name: str, value: str, words: str) -> None:
    async with gateway() as gate:
        body = {"model": "one/embed", "input": "a"}
        answer = await gate.http.post("/v1/embeddings", json=body, headers={f"x-nexus-{name}": value})
        assert (answer.status_code, answer.headers["x-nexus-reason"]) == (400, "REQUEST_INVALID")
        assert f"x-nexus-{name} {words}" in message_in(answer.content)
        assert gate.embedded == []


async def test_a_tier_is_no_model_for_embeddings() -> None:
    async with gateway() as gate:
        answer = await gate.http.post("/v1/embeddings", json={"model": "nexus/fast", "input": "a"})
        assert answer.status_code == 404
        assert "'nexus/fast' is for chats alone. There are: nexus/auto, one/embed." in message_in(answer.content)


async def test_tokens_are_counted() -> None:
    async with gateway() as gate:
        body = {"model": "chat", "messages": [{"role": "user", "content": "Hi"}]}
        refused = await gate.http.post("/v1/messages/count_tokens", json=body)
        assert refused.status_code == 404
        counted = await gate.http.post("/v1/messages/count_tokens", json={**body, "model": "one/chat"})
        assert counted.json()["input_tokens"] > 0
        assert gate.answers.calls == []


async def test_texts_to_embed_may_be_so_long_and_no_longer() -> None:
    async with gateway(body_bytes=32 * 1024 * 1024, bytes_per_key=64 * 1024 * 1024) as gate:
        for texts, status in ((700, 200), (900, 413)):
            body = {"model": "one/embed", "input": ["x" * 10_000] * texts}
            assert (await gate.http.post("/v1/embeddings", json=body)).status_code == status
