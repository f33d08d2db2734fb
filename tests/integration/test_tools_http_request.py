"""The tool `http_request` against real servers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tools_fakes import call_context
from tools_web_rig import INSIDE, Site, known_names, led, reply, running_site, web_client

from shared.errors import PreconditionFailed
from tool_executor.adapters.tool_checked import CheckedTool
from tool_executor.adapters.tool_http_request import HttpRequestTool
from tool_executor.adapters.web.credentials_yaml import load_credentials
from tool_executor.adapters.web.web_gate_listed import HostList
from tool_executor.domain.host_pattern import host_patterns
from tool_executor.domain.http_credential import HttpCredential
from tool_executor.domain.tool_call import ToolFailure, ToolOutput, ToolStatus

SECRET = "s3cret-token-of-the-operator"
ORG = call_context().principal.org_id


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with running_site() as made:
        yield made


@pytest.fixture
async def inside(site: Site) -> AsyncIterator[Site]:
    async with running_site(INSIDE, site.port) as made:
        yield made


def tool(
    site: Site, *private: str, public: tuple[str, ...] = (), credentials: tuple[HttpCredential, ...] = ()
) -> CheckedTool:
    listed = host_patterns(each.format(port=site.port) for each in private or ("site.example:{port}",))
    hosts = HostList(host_patterns(public), listed, credentials)
    return CheckedTool(HttpRequestTool(web_client(known_names()), hosts, max_bytes=10_000))


def credential(host: str, *organisations: str, **headers: str) -> HttpCredential:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpCredential(
        host_patterns([host])[0], told or {"Authorization": f"Bearer {SECRET}"}, frozenset(organisations)
    )


async def send(made: CheckedTool, url: str, dry_run: bool = False, request_id: str = "", **asks: Any) -> ToolOutput:
    return await made.run({"url": url, **asks}, call_context(dry_run=dry_run, request_id=request_id))


async def failure(made: CheckedTool, url: str, **asks: Any) -> ToolFailure:
    with pytest.raises(ToolFailure) as caught:
        await send(made, url, **asks)
    assert SECRET not in f"{caught.value} {caught.value.value}"
    return caught.value


async def echo(request: web.Request) -> web.StreamResponse:
    told = {"headers": dict(request.headers), "body": (await request.read()).decode()}
    return web.json_response(
        told, headers={"X-Echo": request.headers.get("Authorization", "none"), "Set-Cookie": "a=b"}
    )


async def test_a_request_is_sent_and_any_answer_is_a_result(site: Site) -> None:
    site.on("/items", reply('{"id": 7}', 201, Content_Type="application/json"))
    output = await send(
        tool(site), site.url("/items?x=1"), method="POST", json={"name": "h\u00e9"}, headers={"X-Trace": "t"}
    )
    assert (output.value["status"], output.value["body"], output.value["media_type"]) == (
        201,
        '{"id": 7}',
        "application/json",
    )
    (seen,) = site.seen
    assert (seen.method, seen.query_string, seen.headers["X-Trace"]) == ("POST", "x=1", "t")
    assert (seen.headers["Content-Type"], json.loads(site.bodies[0])) == ("application/json", {"name": "h\u00e9"})
    missing = await send(tool(site), site.url("/nothing"))
    assert (missing.value["status"], missing.summary) == (
        404,
        f"GET {site.url('/nothing')} answered 404 with 12 bytes.",
    )


async def test_bytes_are_counted_and_not_shown(site: Site) -> None:
    site.on("/", reply(b"\x89PNG\0\0", Content_Type="image/png"))
    output = await send(tool(site), site.url())
    assert (output.value["body"], output.value["body_bytes"]) == ("", 6)
    assert "no text" in output.summary
    assert (await send(tool(site), site.url(), method="HEAD")).value["body_bytes"] == 0


async def test_hosts_that_are_not_listed_are_never_asked(site: Site, inside: Site) -> None:
    made = tool(site, "site.example:{port}", public=("api.example.com", "*.wild.example"))
    for url in (
        site.url("/", "other.example"),
        site.url("/", "inside.example"),
        site.url("/", INSIDE),
        "http://site.example/",
        "https://api.example.com:8443/",
        "https://x.api.example.com/",
        "https://wild.example/",
        "https://evilwild.example/",
        "http://api.example.com/",
    ):
        refused = await failure(made, url)
        assert (refused.reason, refused.status) == ("URL_REFUSED", ToolStatus.INVALID_ARGUMENTS), url
    assert (site.paths, inside.paths) == ([], [])
    assert "api.example.com, *.wild.example, site.example:" in made.definition.description


async def test_a_listed_host_of_the_internet_may_not_lead_to_a_private_address(site: Site) -> None:
    made = tool(site, "unused.example", public=("inside.example", INSIDE))
    for host in ("inside.example", INSIDE):
        refused = await failure(made, f"https://{host}/")
        assert (refused.reason, "private network" in refused.summary) == ("URL_REFUSED", True)


async def test_a_host_that_may_be_private_is_reached_and_metadata_never(site: Site, inside: Site) -> None:
    inside.on("/", reply("mine"))
    made = tool(site, "inside.example:{port}", "169.254.169.254")
    assert (await send(made, site.url("/", "inside.example"))).value["body"] == "mine"
    assert (await failure(made, "http://169.254.169.254/latest/meta-data")).reason == "URL_REFUSED"


async def test_credentials_are_added_and_never_shown(site: Site) -> None:
    site.on("/", echo)
    made = tool(site, credentials=(credential(f"site.example:{site.port}"),))
    output = await send(made, site.url())
    assert site.seen[0].headers["Authorization"] == f"Bearer {SECRET}"
    assert SECRET not in json.dumps(output.value) + output.summary
    assert "[secret]" in str(output.value["body"])
    planned = await send(made, site.url(), dry_run=True)
    assert planned.value["request_headers"] == {"Authorization": "[secret]"}
    assert SECRET not in f"{made.definition} {credential('a.example')}"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Bearer abc/def+ghi", '"abc\\/def+ghi"'),
        ("Bearer abc/def+ghi", "?token=abc%2Fdef%2Bghi"),
        ("Basic dXNlcjpodW50ZXIyLXBhc3M=", "welcome hunter2-pass"),
        ("Basic dXNlcjpodW50ZXIyLXBhc3M=", "dXNlcjpodW50ZXIyLXBhc3M="),
    ],
)
async def test_an_answer_that_gives_credentials_away_is_struck_out(site: Site, value: str, shown: str) -> None:
    site.on("/", reply(shown))
    made = tool(site, credentials=(credential(f"site.example:{site.port}", Authorization=value),))
    output = await send(made, site.url())
    assert "[secret]" in str(output.value["body"])
    assert not any(part in str(output.value["body"]) for part in ("def", "hunter2", "dXNl"))


async def test_credentials_stay_with_their_host_and_organisations(site: Site) -> None:
    site.on("/a", led(site.url("/b", "other.example")))
    site.on("/b", echo)
    here = f"site.example:{site.port}"
    made = tool(site, "site.example:{port}", "other.example:{port}", credentials=(credential(here),))
    output = await send(made, site.url("/a"), headers={"X-Mine": "m"})
    assert output.value["status"] == 200
    first, second = site.seen
    assert first.headers["Authorization"] == f"Bearer {SECRET}"
    assert not {"Authorization", "X-Mine"} & set(second.headers)
    for organisations, told in (((ORG,), True), (("someone-else",), False)):
        await send(tool(site, credentials=(credential(here, *organisations),)), site.url("/b"))
        assert ("Authorization" in site.seen[-1].headers) is told


async def test_a_redirect_to_a_host_that_is_not_listed_ends_there(site: Site, inside: Site) -> None:
    site.on("/a", led(site.url("/", "inside.example")))
    assert (await failure(tool(site), site.url("/a"))).reason == "URL_REFUSED"
    assert inside.paths == []
    site.on("/post", led("/elsewhere", 307))
    output = await send(tool(site), site.url("/post"), method="POST", body="x")
    assert (output.value["status"], site.paths[-1]) == (307, "/post")


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "hOST", "Authorization", "Proxy-Authorization", "Cookie", "Connection", "Transfer-Encoding", "TE"),
        *("Content-Length", "Upgrade", "Expect", "X-Forwarded-For", "Forwarded", "Sec-Fetch-Site", "Idempotency-Key"),
        *("X-HTTP-Method-Override", "bad name", "bad:name", "", "X\r\nHost", "X-Key"),
    ],
)
async def test_headers_that_are_not_the_models_are_refused(site: Site, name: str) -> None:
    made = tool(site, credentials=(credential(f"site.example:{site.port}", X_Key=SECRET),))
    refused = await failure(made, site.url(), headers={name: "x"})
    assert (refused.reason, site.paths) == ("HEADER_REFUSED", [])


@pytest.mark.parametrize("value", ["a\r\nHost: inside", "a\nb", "\0", "h\u00e9", "\x7f"])
async def test_values_cannot_begin_another_header(site: Site, value: str) -> None:
    assert (await failure(tool(site), site.url(), headers={"X-A": value})).reason == "HEADER_REFUSED"
    assert (await failure(tool(site), site.url(), headers={"X-A": "1", "x-a": "2"})).reason == "HEADER_REFUSED"


async def test_there_is_one_body_and_none_for_reading(site: Site) -> None:
    assert (await failure(tool(site), site.url(), body="x")).reason == "BODY_REFUSED"
    assert (await failure(tool(site), site.url(), method="POST", body="x", json={})).reason == "BODY_REFUSED"
    assert site.paths == []


async def test_an_effect_carries_a_key_that_is_the_calls_own(site: Site) -> None:
    site.on("/", reply("ok"))
    for method, request_id in (
        ("POST", "r:1:a"),
        ("POST", "r:1:a"),
        ("DELETE", "r:1:b"),
        ("POST", ""),
        ("GET", "r:1:c"),
    ):
        await send(tool(site), site.url(), request_id=request_id, method=method)
    keys = [seen.headers.get("Idempotency-Key") for seen in site.seen]
    assert keys[0] == keys[1] != keys[2]
    assert keys[3:] == [None, None]
    assert "r:1:a" not in str(keys[0])


async def test_a_dry_run_tells_the_request_and_sends_nothing(site: Site) -> None:
    output = await send(
        tool(site), site.url("/x"), dry_run=True, request_id="r", method="PUT", body="hello", headers={"X-A": "1"}
    )
    assert (output.value["sent"], output.value["method"], output.value["request_bytes"]) == (False, "PUT", 5)
    assert set(output.value["request_headers"]) == {"X-A", "Content-Type", "Idempotency-Key"}  # type: ignore[call-overload]
    with pytest.raises(ToolFailure, match="not on the operator's list"):
        await send(tool(site), "https://elsewhere.example/", dry_run=True)
    assert site.paths == []


async def test_an_effect_that_fails_may_have_happened(site: Site) -> None:
    site.on("/", reply("x" * 20_000))
    assert (await failure(tool(site), site.url())).reason == "ANSWER_TOO_LARGE"
    told = await failure(tool(site), site.url(), method="POST")
    assert "may have taken effect" in told.summary


async def test_without_hosts_the_tool_says_what_to_set() -> None:
    made = HttpRequestTool(web_client(known_names()), HostList(), max_bytes=1_000)
    assert "NEXUS_TOOLS_HTTP_REQUEST_HOSTS" in made.definition.description
    with pytest.raises(PreconditionFailed, match="NEXUS_TOOLS_HTTP_REQUEST_HOSTS") as caught:
        await made.run({"url": "https://example.com/"}, call_context())
    assert caught.value.reason == "HTTP_REQUEST_NOT_CONFIGURED"


def test_the_file_of_credentials_is_read(tmp_path: Path) -> None:
    file = tmp_path / "credentials.yaml"
    file.write_text(
        f"credentials:\n  - host: api.example.com\n    headers: {{X-Key: {SECRET}}}\n    organisations: [org-a]\n"
        f"  - host: '[::1]:8080'\n    headers: {{Authorization: Bearer x}}\n"
    )
    file.chmod(0o600)
    first, second = load_credentials(file)
    assert (str(first.pattern), dict(first.headers), first.organisations) == (
        "api.example.com",
        {"X-Key": SECRET},
        frozenset({"org-a"}),
    )
    assert str(second.pattern) == "[::1]:8080"


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        (f"credentials: [{{host: a.example, headers: {{X: {SECRET}}}}}]", 0o644, "others may read it"),
        (f"credentials: [{{host: '*.a.example', headers: {{X: {SECRET}}}}}]", 0o600, "stands for many hosts"),
        (f"credentials: [{{host: 'a b', headers: {{X: {SECRET}}}}}]", 0o600, "is no host"),
        (f"credentials: [{{host: a.example, headers: {{'X Y': {SECRET}}}}}]", 0o600, "look at credentials.0.headers"),
        (f'credentials: [{{host: a.example, headers: {{X: "{SECRET}\\n"}}, typo: 1}}]', 0o600, "credentials.0.typo"),
        (f'credentials: [{{host: a.example, headers: {{X: "{SECRET}\\nHost: b"}}}}]', 0o600, "no header may have"),
        (f"credentials: {SECRET}", 0o600, "look at credentials"),
        (f"credentials: [{SECRET}", 0o600, "no YAML"),
        ("", 0o600, "look at"),
    ],
)
def test_a_wrong_file_of_credentials_stops_the_start_and_shows_nothing(
    tmp_path: Path, text: str, mode: int, why: str
) -> None:
    file = tmp_path / "credentials.yaml"
    file.write_text(text)
    file.chmod(mode)
    with pytest.raises(PreconditionFailed, match=why) as caught:
        load_credentials(file)
    assert caught.value.reason == "HTTP_CREDENTIALS_INVALID"
    assert SECRET not in str(caught.value)
    with pytest.raises(PreconditionFailed):
        load_credentials(tmp_path / "nothing.yaml")


def test_patterns_of_hosts_are_read_strictly() -> None:
    texts = ["API.example.com", "a.example:8443", "*.example.com", "[::0:1]:80", "127.0.0.1"]
    assert [str(each) for each in host_patterns(texts)] == [
        *("api.example.com", "a.example:8443", "*.example.com", "[::1]:80", "127.0.0.1"),
    ]
    for text in (
        "",
        "*",
        "*.com",
        "https://a.example",
        "a.example/x",
        "a.example:0",
        "a.example:99999",
        "a b",
        "*.*.a.b",
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - the text is in the message
            host_patterns([text])
