"""Connections to MCP servers: good ones of the SDK, and those that do what they should not."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from mcp_rigs import PNG, answer, bad_server, good_server

from shared.client.channel import open_channel
from shared.errors import QuotaExceeded
from shared.net.lookup import looked_up
from shared.testing.mcp_http_server import serving_mcp
from tool_executor.adapters.mcp.connection import SdkConnection
from tool_executor.adapters.mcp.limits import McpLimits, McpSurroundings
from tool_executor.adapters.mcp_connector_sdk import SdkMcpConnector
from tool_executor.domain.mcp_result import BytesPart, TextPart
from tool_executor.domain.mcp_server import HttpTransport, McpFailure, McpRefusal, Secret, ServerSpec

QUICK = McpLimits(connect_s=1.0, list_s=1.0, settle_s=0.01, probe_s=0.15, answer_s=0.2, message_bytes=200_000)


def spec(place: str, *headers: Secret, scheme: str = "http") -> ServerSpec:
    return ServerSpec("s", HttpTransport(f"{scheme}://{place}/mcp", headers))


@asynccontextmanager
async def connected(
    place: str, *headers: Secret, limits: McpLimits = QUICK, scheme: str = "http", **around: Any
) -> AsyncGenerator[SdkConnection, None]:
    channel = open_channel("unix:/nonexistent/sandbox.sock", lambda _principal: None)
    given = {"lookup": looked_up, "private_hosts": {place}, **around}
    try:
        connector = SdkMcpConnector(McpSurroundings(channel, **given), limits)
        async with connector.connect("org-a", spec(place, *headers, scheme=scheme)) as connection:
            yield connection
    finally:
        await channel.close()


async def refusal(place: str, **around: Any) -> str:
    """Return why a connection could not be kept."""

    async def use() -> None:
        async with connected(place, **around) as connection:
            await connection.offer()
            await connection.changed()

    with pytest.raises(McpFailure) as caught:
        await use()
    return caught.value.message


def tool(number: int = 0, **changes: Any) -> dict[str, Any]:
    return {"name": f"t{number}", "inputSchema": {"type": "object"}, **changes}


async def just_tools(method: str, params: dict[str, Any]) -> Any:
    return {"tools": [tool()]} if method == "tools/list" else {"content": []}


@pytest.mark.parametrize("json_response", [True, False])
async def test_a_good_server_works_in_all_it_has(json_response: bool) -> None:
    async with (
        serving_mcp(good_server(), json_response=json_response) as served,
        connected(served.place, Secret("X-Key", "s3cret-value")) as connection,
    ):
        offer = await connection.offer()
        assert offer.implementation == "good 1.2.3"
        assert [each.original for each in offer.tools] == ["addNumbers", "draw", "fail", "hang", "grow"]
        assert [each.uri for each in offer.resources] == ["text://hello"]
        assert [(each.name, [a.name for a in each.arguments]) for each in offer.prompts] == [("greet", ["name"])]
        added = await connection.call_tool("addNumbers", {"a": 1, "b": 2}, 5)
        assert (added.structured, added.is_error) == ({"result": 3}, False)
        drawn = await connection.call_tool("draw", {}, 5)
        assert drawn.parts == (TextPart("here it is"), BytesPart("image", "image/png", PNG))
        failed = await connection.call_tool("fail", {}, 5)
        assert failed.is_error
        assert "disk is full" in str(failed.parts)
        assert (await connection.read_resource("text://hello", 5)).text == "hello"
        assert [m.text for m in await connection.get_prompt("greet", {"name": "Ann"}, 5)] == ["Greet Ann."]
        with pytest.raises(McpRefusal):
            await connection.read_resource("text://other", 5)
    assert all(headers["x-key"] == "s3cret-value" for _, headers in served.requests)


async def test_cancelling_a_call_reaches_the_server() -> None:
    cancelled = asyncio.Event()
    async with serving_mcp(good_server(cancelled)) as served, connected(served.place) as connection:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.call_tool("hang", {}, 30), 0.2)
        await asyncio.wait_for(cancelled.wait(), 2)


async def test_a_change_of_the_tools_is_noticed() -> None:
    async with serving_mcp(good_server()) as served, connected(served.place) as connection:
        before = await connection.offer()
        waiting = asyncio.create_task(connection.changed())
        await asyncio.sleep(0.1)
        await connection.call_tool("grow", {}, 5)
        await asyncio.wait_for(waiting, 2)
        after = await connection.offer()
        assert {each.original for each in after.tools} - {each.original for each in before.tools} == {"sister"}


async def test_a_change_that_an_older_server_tells_on_its_own_stream_is_noticed() -> None:
    told = json.dumps({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}).encode()
    events = answer(b"data: " + told + b"\n\n", "content-type: text/event-stream")
    async with bad_server(just_tools, events) as place, connected(place, limits=McpLimits(settle_s=0)) as connection:
        await asyncio.wait_for(connection.changed(), 2)


async def test_a_certificate_is_held_to_the_name(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    ours = {"ca_file": tmp_path / "ca.pem"}

    async def lookup(host: str, port: int, family: Any) -> Any:
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    async with serving_mcp(good_server(), certificate=authority.issue_cert("mcp.example.org")) as served:
        port = served.place.partition(":")[2]
        place = f"mcp.example.org:{port}"
        async with connected(place, scheme="https", lookup=lookup, **ours) as connection:
            assert len((await connection.offer()).tools) == 5
        no_tls = "no TLS connection can be made with it"
        assert await refusal(place, scheme="https", lookup=lookup) == no_tls
        assert await refusal(f"other.example.org:{port}", scheme="https", lookup=lookup, **ours) == no_tls


async def test_a_server_that_never_answers_costs_only_its_time() -> None:
    async def hang(method: str, params: dict[str, Any]) -> Any:
        await asyncio.sleep(30)

    async with bad_server(hang) as place:
        assert await refusal(place, limits=McpLimits(connect_s=0.3, list_s=0.3)) == (
            "it does not list what it offers in time"
        )


async def test_a_server_that_stops_answering_is_found_out() -> None:
    async def once(method: str, params: dict[str, Any]) -> Any:
        if method == "tools/list":
            return {"tools": [tool()]}
        await asyncio.sleep(30)
        return None

    async with bad_server(once) as place:
        assert await refusal(place) == "it does not answer any more"


async def test_five_thousand_tools_are_cut() -> None:
    async def many(method: str, params: dict[str, Any]) -> Any:
        return {"tools": [tool(number) for number in range(5_000)]}

    async with bad_server(many) as place, connected(place, limits=McpLimits()) as connection:
        offer = await connection.offer()
    assert len(offer.tools) == 500
    assert offer.notes == ("it lists more than 500 tools; the rest was left out",)


async def test_resources_that_say_too_much_are_cut() -> None:
    async def wordy(method: str, params: dict[str, Any]) -> Any:
        if method == "resources/list":
            first = int(params.get("cursor", 0))
            page = [{"uri": f"x://{first + n}", "name": "n", "description": "x" * 1_900} for n in range(750)]
            return {"resources": page} | ({} if first else {"nextCursor": "750"})
        return {"tools": []}

    async with bad_server(wordy, resources={}) as place, connected(place, limits=McpLimits()) as connection:
        offer = await connection.offer()
    assert 1_000 < len(offer.resources) < 1_100
    assert offer.notes == ("its resources are described at too great a length; the rest was left out",)


async def test_pages_without_an_end_are_cut() -> None:
    pages = 0

    async def endless(method: str, params: dict[str, Any]) -> Any:
        nonlocal pages
        pages += 1
        return {"tools": [], "nextCursor": "more"}

    async with bad_server(endless) as place, connected(place, limits=McpLimits()) as connection:
        offer = await connection.offer()
    assert (pages, len(offer.notes)) == (100, 1)


NOWHERE = "its host name leads to no address that is allowed"
LARGE = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": [tool(description="x" * 300_000)]}}).encode()
EVENT = b"data: " + json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {}}).encode() + b"\n\n"
MANY = b'{"jsonrpc":"2.0","method":"notifications/progress","params":[' + b"1," * 60_000 + b"1]}"
HTTP_CRIMES = {
    "too many values": (answer(MANY, "content-type: application/json"), "too many values"),
    "an event of too many values": (
        answer(b': "\ndata: ' + MANY + b"\n\n", "content-type: text/event-stream"),
        "too many values",
    ),
    "too many values without an end": (answer(b"data: " + MANY, "content-type: text/event-stream"), "too many values"),
    "another encoding": (answer(b"data: {}\n\n", "content-type: text/event-stream; charset=utf-7"), "not in UTF-8"),
    "too large": (answer(LARGE, "content-type: application/json"), "too large"),
    "packed": (answer(gzip.compress(LARGE), "content-type: application/json", "content-encoding: gzip"), "packed"),
    "no JSON": (answer(b"hello", "content-type: application/json"), "Failed to parse"),
    "another type": (answer(b"<p>", "content-type: text/html"), "content type"),
    "a flood": (answer(EVENT * 3_000, "content-type: text/event-stream"), "floods"),
    "one endless event": (answer(b"data: " + b"x" * 300_000, "content-type: text/event-stream"), "too large"),
    "refused": (answer(b"", status="500 Oops"), "error"),
}


@pytest.mark.parametrize("crime", HTTP_CRIMES)
async def test_an_answer_that_is_no_answer_ends_in_words(crime: str) -> None:
    body, why = HTTP_CRIMES[crime]

    async def reply(method: str, params: dict[str, Any]) -> Any:
        return body

    async with bad_server(reply) as place:
        assert why in await refusal(place)


async def test_an_answer_with_many_marks_in_its_texts_comes_whole() -> None:
    text = 'a "quoted", [listed] row, and so on, on, on, on, on, on\\\n' * 4_500
    result = {"content": [{"type": "text", "text": text}]}
    event = b"data: " + json.dumps({"jsonrpc": "2.0", "id": "ID", "result": result}).encode()

    async def reply(method: str, params: dict[str, Any]) -> Any:
        if method == "tools/list":
            return {"tools": [tool()]}
        return answer(event + b"\r\n\r\n", "content-type: text/event-stream") if params["name"] == "t1" else result

    async with bad_server(reply) as place, connected(place, limits=McpLimits()) as connection:
        for name in ("t0", "t1"):
            assert (await connection.call_tool(name, {}, 5)).parts == (TextPart(text),)


async def test_answers_of_another_shape_are_a_failure_of_the_server() -> None:
    async def reply(method: str, params: dict[str, Any]) -> Any:
        return {"tools": [{"name": 7}]} if method == "tools/list" else {}

    async with bad_server(reply) as place:
        assert await refusal(place) == "its answer does not keep to the protocol"


async def test_a_redirect_to_elsewhere_is_not_followed() -> None:
    reached: list[str] = []

    async def elsewhere(method: str, params: dict[str, Any]) -> Any:
        reached.append(method)
        return {"tools": []}

    async with bad_server(elsewhere) as other:

        async def away(method: str, params: dict[str, Any]) -> Any:
            return answer(b"", f"location: http://{other}/mcp", status="307 Temporary Redirect")

        async with bad_server(away) as place:
            assert "not followed" in await refusal(place, private_hosts={place, other})
    assert reached == []


async def test_what_a_server_asks_of_a_client_is_refused_and_the_call_goes_on() -> None:
    asked = {"jsonrpc": "2.0", "id": 7, "method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 9}}
    done = b'{"jsonrpc":"2.0","id":"ID","result":{"content":[{"type":"text","text":"done"}]}}'

    async def reply(method: str, params: dict[str, Any]) -> Any:
        if method == "tools/list":
            return {"tools": [tool()]}
        events = b"data: " + json.dumps(asked).encode() + b"\n\ndata: " + done + b"\n\n"
        return answer(events, "content-type: text/event-stream")

    async with bad_server(reply) as place, connected(place) as connection:
        await connection.offer()
        assert (await connection.call_tool("t0", {}, 5)).parts == (TextPart("done"),)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1"])
async def test_a_name_that_leads_inside_is_not_connected_to(address: str) -> None:
    async def lookup(host: str, port: int, family: Any) -> Any:
        return [(2, 1, 6, "", ("93.184.216.34", port)), (2, 1, 6, "", (address, port))]

    async with bad_server(just_tools) as place:
        port = place.partition(":")[2]
        why = await refusal(f"mcp.example.org:{port}", private_hosts=set(), lookup=lookup)
    assert why == NOWHERE


async def test_even_where_private_addresses_are_allowed_metadata_is_not() -> None:
    async def lookup(host: str, port: int, family: Any) -> Any:
        return [(2, 1, 6, "", ("169.254.169.254", port))]

    assert await refusal("mcp.example.org:80", lookup=lookup) == NOWHERE


async def test_a_name_that_leads_nowhere_is_told_in_the_same_words() -> None:
    async def lookup(host: str, port: int, family: Any) -> Any:
        raise OSError

    assert await refusal("mcp.example.org:80", lookup=lookup) == NOWHERE


async def test_a_server_that_is_not_there_is_told() -> None:
    async with bad_server(just_tools) as place:
        pass
    assert await refusal(place) == "it takes no connection"


async def test_too_many_calls_and_readings_at_once_are_refused() -> None:
    called, enough = asyncio.Event(), asyncio.Event()

    async def reply(method: str, params: dict[str, Any]) -> Any:
        if method == "tools/call":
            called.set()
            await enough.wait()
        return await just_tools(method, params)

    async with bad_server(reply) as place, connected(place, limits=McpLimits(calls=1)) as connection:
        first = asyncio.create_task(connection.call_tool("t0", {}, 5))
        await called.wait()
        for another in (
            connection.call_tool("t0", {}, 5),
            connection.read_resource("x://1", 5),
            connection.get_prompt("greet", {}, 5),
        ):
            with pytest.raises(QuotaExceeded):
                await another
        enough.set()
        assert not (await first).is_error
