"""A pytest plugin: one mesh and one scripted provider for all tests that need them, started when first asked for."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.testing.running_mesh import RunningMesh, running_mesh, scripted_process

TESTS = Path(__file__).parent
MESH_FOLDERS = {TESTS / "e2e", TESTS / "chaos"}
SCRIPTED_MODEL = "scripted/scripted-chat"
SLEEP = json.dumps({"code": "import time; time.sleep(1)"})
LOOP = json.dumps({"code": "while True: pass"})
NEVER_STOP = {"type": "reply", "tool_calls": [["calculator", '{"expression": "1+1"}']]}
SLOW = {"chunk_size": 5, "chunk_delay_s": 0.05}

# Three turns over an artifact that the user names; with three results at hand the provider's own agent answers.
TABLE_QUESTION = "double the table"
DOUBLE = """
import csv
rows = list(csv.DictReader(open("table.csv")))
with open("doubled.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["name", "count"])
    writer.writerows([row["name"], int(row["count"]) * 2] for row in rows)
print(len(rows), "rows")
"""
TABLE_STEPS = (
    ("load_file", {"artifact_id": "$UUID", "path": "table.csv"}),
    ("execute_code", {"code": DOUBLE}),
    ("save_file", {"path": "doubled.csv", "name": "report.csv"}),
)
# What the scripted provider does when the last message of the user holds these words.
SCRIPT = {
    "stream slowly": {"type": "reply", "text": "tick " * 20, **SLOW},
    "work for a while": {"type": "reply", "text": "tock " * 40, **SLOW},
    "hang before the first token": {"type": "hang", "before": "first_token"},
    "hang in the middle": {"type": "hang", "before": "mid_stream"},
    "drop the connection": {"type": "reset", "after_chunks": 2},
    "cut the answer": {"type": "truncate", "after_chunks": 2},
    "talk garbage": {"type": "garbage"},
    "show a web page": {"type": "wrong_content_type"},
    "say nothing": {"type": "empty_body"},
    "fail in the middle": {"type": "error_in_stream", "after_chunks": 2},
    "be overloaded": {"type": "status", "code": 503},
    "sleep and count": {
        "type": "reply",
        "tool_calls": [["execute_code", SLEEP], ["calculator", '{"expression": "6*7"}']],
    },
    "talk forever": {"type": "endless_stream"},
    "finish twice": {"type": "duplicate_finish", "reply": {"text": "Done, and done."}},
    "hide the usage": {"type": "missing_usage", "reply": {"text": "No bill."}},
    "call a tool that is not there": {"type": "reply", "tool_calls": [["no_such_tool", "{}"]]},
    "call it wrongly": {"type": "reply", "tool_calls": [["calculator", '{"expression": '], ["calculator", "[]"]]},
    "say it in pieces": {
        "type": "reply",
        "tool_calls": [["calculator", '{"expression": "12*12"}'], ["get_current_time", "{}"]],
        "chunk_size": 1,
        "interleave": True,
    },
    "loop forever in code": {"type": "reply", "tool_calls": [["execute_code", LOOP]]},
}
PROVIDERS = """\
version: 1
providers:
  local:
    type: local
    models:
      - {name: chat, chat: true, tool_calling: false, context_length: 4096, max_output_tokens: 256, demonstration: true}
      - {name: embed, embeddings: true, dimensions: 384, context_length: 512}
SCRIPTED
chains:
  chat: [local/chat]
  embed: local/embed
"""
SCRIPTED_PROVIDER = """\
  scripted:
    type: openai_compatible
    base_url: URL
    models:
      - {name: scripted-chat, chat: true, tool_calling: true, context_length: 1000000}
"""
# Each has a circuit breaker of its own, so that what one of them does wrong tells nothing about the others.
FAULTY_MODELS = tuple(f"scripted/faulty-{number}" for number in range(10))
SCRIPTED_PROVIDER += "".join(
    f"      - {{name: {model.partition('/')[2]}, chat: true, tool_calling: true, context_length: 1000000}}\n"
    for model in FAULTY_MODELS
)
MCP_FOLDERS = ("in", "out")
# The folders stand in the place of FOLDER.
MCP_CALLS = [
    ["files_list_directory", '{"path": "FOLDER/in"}'],
    ["files_read_text_file", '{"path": "FOLDER/in/a.txt"}'],
    ["files_write_file", '{"path": "FOLDER/out/b.txt", "content": "written by an agent"}'],
    ["files_write_file", '{"path": "FOLDER/in/b.txt", "content": "no"}'],
    ["files_read_text_file", '{"path": "/etc/passwd"}'],
    ["inside_get_tiny_image", "{}"],
    ["inside_get_sum", '{"a": 20, "b": 22}'],
    ["outside_echo", '{"message": "hello"}'],
]
# What hangs or loops shall not hold up the tests for as long as it may hold up people.
OVERRIDES = {
    "NEXUS_ROUTER_FIRST_TOKEN_TIMEOUT_S": "8",
    "NEXUS_ROUTER_IDLE_TIMEOUT_S": "4",
    "NEXUS_TOOLS_CODE_WALL_TIME_S": "3",
}


def providers_yaml(scripted_url: str = "") -> str:
    """Return the router's configuration: the local model, and the scripted provider where its URL is given."""
    scripted = SCRIPTED_PROVIDER.replace("URL", scripted_url) if scripted_url else ""
    return PROVIDERS.replace("SCRIPTED", scripted)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests that share the mesh in one worker, should the suite be spread over several."""
    for item in items:
        if not MESH_FOLDERS.isdisjoint(item.path.parents):
            item.add_marker(pytest.mark.xdist_group("mesh"))


@dataclass(frozen=True)
class McpPlaces:
    """What the session's mesh allows MCP servers: a folder for their files, and a port for one of their own."""

    folder: Path
    port: int


@pytest.fixture(scope="session")
def mcp_places(tmp_path_factory: pytest.TempPathFactory) -> McpPlaces:
    """A folder to read and one to write, and a free port."""
    folder = tmp_path_factory.mktemp("mcp").resolve()
    for name in MCP_FOLDERS:
        (folder / name).mkdir(mode=0o755)
    (folder / "in" / "a.txt").write_text("hello from the host")
    if os.geteuid() == 0:
        # A program never gets to act as root: what it may write belongs to somebody else.
        os.chown(folder / "out", 65534, 65534)
    with socket.create_server(("127.0.0.1", 0)) as server:
        return McpPlaces(folder, server.getsockname()[1])


@pytest.fixture(scope="session")
def scripted_url(tmp_path_factory: pytest.TempPathFactory, mcp_places: McpPlaces) -> Iterator[str]:
    """The base URL of a scripted provider that serves for the session."""
    # With tool results at hand the provider's own agent answers instead.
    rules = [{"user_contains": words, "has_tool_results": False, "then": then} for words, then in SCRIPT.items()]
    rules.append({"user_contains": "never stop calculating", "then": NEVER_STOP})
    for results, (tool, arguments) in enumerate(TABLE_STEPS):
        then = {"type": "reply", "tool_calls": [[tool, json.dumps(arguments)]]}
        rules.append({"user_contains": TABLE_QUESTION, "tool_results": results, "then": then})
    calls = [[name, arguments.replace("FOLDER", str(mcp_places.folder))] for name, arguments in MCP_CALLS]
    then = {"type": "reply", "tool_calls": calls}
    rules.append({"user_contains": "look after the files", "has_tool_results": False, "then": then})
    script = tmp_path_factory.mktemp("provider") / "script.json"
    script.write_text(json.dumps({"rules": rules}))
    with scripted_process("--script", str(script)) as url:
        yield url


@pytest.fixture(scope="session")
def mesh(tmp_path_factory: pytest.TempPathFactory, mcp_places: McpPlaces) -> Iterator[RunningMesh]:
    """A mesh that serves for the session, at first with the local model alone."""
    folder = tmp_path_factory.mktemp("mesh")
    providers_file = folder / "providers.yaml"
    providers_file.write_text(providers_yaml())
    overrides = OVERRIDES | {
        "NEXUS_SANDBOX_PROCESS_PATHS": f"{mcp_places.folder}:{TESTS / 'e2e' / 'node'}",
        "NEXUS_TOOLS_MCP_PRIVATE_HOSTS": f"127.0.0.1:{mcp_places.port}",
    }
    with running_mesh(folder / "data", providers_file, os.environ, overrides) as running:
        yield running


@pytest.fixture(scope="session")
def scripted_model(mesh: RunningMesh, scripted_url: str) -> str:
    """The scripted provider's model, added to the running mesh by editing its file."""
    mesh.providers_file.write_text(providers_yaml(scripted_url))
    deadline = time.monotonic() + 20
    while SCRIPTED_MODEL not in json.dumps(mesh.cli_json("providers", "list")):
        assert time.monotonic() < deadline, "the router has not read the changed providers.yaml"
    return SCRIPTED_MODEL
