"""Every command of `nexus` against servers that answer as the test says: what is asked, printed, and returned."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mesh.cli.app import app
from protos.gen.nexus.agent.v1 import agent_pb2, conversation_pb2
from protos.gen.nexus.dashboard.v1 import dashboard_pb2
from protos.gen.nexus.router.v1 import contract_pb2, router_pb2
from protos.gen.nexus.sandbox.v1 import sandbox_pb2
from protos.gen.nexus.settings.v1 import identity_pb2, settings_pb2
from protos.gen.nexus.tools.v1 import tools_pb2
from shared import errors

sys.path.insert(0, str(Path(__file__).parent / "cli_kit"))
from fake_mesh import KEY, fake_mesh

LIST_COMMANDS = [
    ("runs", "list"),
    ("conversations", "list"),
    ("providers", "list"),
    ("models", "list"),
    ("contracts", "list"),
    ("usage",),
    ("budgets", "list"),
    ("ledger", "list"),
    ("tools", "list"),
    ("artifacts", "list"),
    ("sandbox", "images"),
    ("sandbox", "sessions", "list"),
    ("settings", "get"),
    ("calendar", "show"),
]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in ("NEXUS_DATA", "NEXUS_API_KEY", "NEXUS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def mesh(tmp_path):
    with fake_mesh(tmp_path / "d") as running:
        yield running


@pytest.fixture
def nexus(tmp_path):
    def call(*arguments, stdin=None):
        return CliRunner().invoke(app, [*arguments, "--data", str(tmp_path / "d")], input=stdin)

    return call


def printed(result, code=0):
    assert result.exit_code == code, (result.output, result.exception)
    return json.loads(result.stdout)


def refused(result, code):
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    return json.loads(result.stderr)["error"]


def test_runs_are_listed_a_page_at_a_time(mesh, nexus):
    run = agent_pb2.Run(run_id="run-1", question="How\x1b[2J?", status=agent_pb2.RUN_STATUS_COMPLETED)
    mesh.answers["ListRuns"] = lambda _: agent_pb2.ListRunsResponse(runs=[run], next_page_token="next")

    shown = nexus("runs", "list", "--limit", "7", "--page", "tok", "--conversation", "c-1")

    assert "run-1" in shown.stdout
    assert "completed" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert "--page next" in shown.stderr
    expected = agent_pb2.ListRunsRequest(page_size=7, page_token="tok", conversation_id="c-1")
    assert mesh.requests("ListRuns") == [expected]
    assert printed(nexus("runs", "list", "--json"))["runs"][0]["status"] == "RUN_STATUS_COMPLETED"


def test_a_run_is_shown_with_its_failure_and_its_tool_calls(mesh, nexus):
    call = agent_pb2.ToolCallSummary(tool="calculator", arguments_json="{}", ok=False, summary="division by zero")
    failure = agent_pb2.RunFailure(reason="MODEL_DOWN", message="No model answers.")
    run = agent_pb2.Run(run_id="run-1", status=agent_pb2.RUN_STATUS_FAILED, failure=failure, tool_calls=[call])
    mesh.answers["GetRun"] = lambda _: agent_pb2.GetRunResponse(run=run)

    shown = nexus("runs", "show", "run-1").stdout

    assert "No model answers. [MODEL_DOWN]" in shown
    assert "division by zero" in shown
    assert printed(nexus("runs", "show", "run-1", "--json"))["run"]["failure"]["reason"] == "MODEL_DOWN"


def test_a_run_whose_cost_nobody_knows_is_shown_as_such(mesh, nexus):
    usage = agent_pb2.RunUsage(input_tokens=5, output_tokens=3, model_calls=1, cost_unknown=1)
    mesh.answers["GetRun"] = lambda _: agent_pb2.GetRunResponse(run=agent_pb2.Run(run_id="run-1", usage=usage))
    assert "1 model call, 0 tool calls, cost unknown" in nexus("runs", "show", "run-1").stdout
    assert printed(nexus("runs", "show", "run-1", "--json"))["run"]["usage"]["cost_unknown"] == 1


def test_the_events_of_a_run_that_goes_on_are_shown_without_waiting_for_its_end(mesh, nexus):
    run = agent_pb2.Run(run_id="run-1", status=agent_pb2.RUN_STATUS_RUNNING, last_sequence=2)
    mesh.answers["GetRun"] = lambda _: agent_pb2.GetRunResponse(run=run)

    def endless(request):
        for number in range(request.after_sequence + 1, 10_000):
            event = agent_pb2.RunEvent(
                run_id="run-1", sequence=number, token_delta=agent_pb2.TokenDelta(text=f"t{number}")
            )
            yield agent_pb2.WatchRunResponse(event=event)

    mesh.answers["WatchRun"] = endless
    assert [e["sequence"] for e in printed(nexus("runs", "show", "run-1", "--events", "--json"))["events"]] == [
        "1",
        "2",
    ]
    assert "token_delta" in nexus("runs", "show", "run-1", "--events").stdout


def test_a_run_is_cancelled_with_a_key_of_its_own(mesh, nexus):
    run = agent_pb2.Run(run_id="run-1", status=agent_pb2.RUN_STATUS_CANCELLED)
    mesh.answers["CancelRun"] = lambda _: agent_pb2.CancelRunResponse(run=run)
    assert nexus("runs", "cancel", "run-1").stdout == "run-1 is cancelled.\n"
    assert mesh.requests("CancelRun")[0].request_id


def test_conversations_are_listed_shown_and_deleted(mesh, nexus):
    conversation = conversation_pb2.Conversation(conversation_id="c-1", title="Whales")
    message = conversation_pb2.ConversationMessage(role=conversation_pb2.MESSAGE_ROLE_ASSISTANT, text="They sing.")
    mesh.answers |= {
        "ListConversations": lambda _: conversation_pb2.ListConversationsResponse(conversations=[conversation]),
        "GetConversation": lambda _: conversation_pb2.GetConversationResponse(
            conversation=conversation, messages=[message]
        ),
        "DeleteConversation": lambda _: conversation_pb2.DeleteConversationResponse(),
    }
    assert "Whales" in nexus("conversations", "list").stdout
    assert nexus("conversations", "show", "c-1").stdout == "Whales  [c-1]\n\nassistant, \nThey sing.\n"
    assert printed(nexus("conversations", "delete", "c-1", "--json")) == {"deleted": "c-1"}
    assert mesh.requests("DeleteConversation")[0].conversation_id == "c-1"


TROUBLED = router_pb2.ListProvidersResponse(
    providers=[router_pb2.Provider(name="acme", type="anthropic", state=router_pb2.PROVIDER_STATE_NOT_CONFIGURED)],
    configuration_problems=[router_pb2.ConfigurationProblem(file="limits.yaml", line=3, message="no such scope")],
    unusable=[router_pb2.Unusable(name="acme", reason="It has no key: the environment variable ACME_KEY is not set.")],
)


@pytest.mark.parametrize("command", [("providers", "list"), ("status",)])
def test_what_of_the_configuration_cannot_be_used_is_told_beside_the_result(mesh, nexus, command):
    mesh.answers["ListProviders"] = lambda _: TROUBLED
    shown = nexus(*command)
    assert "not configured" in shown.stdout or "ready" in shown.stdout
    assert "limits.yaml line 3: no such scope." in shown.stderr
    assert "the environment variable ACME_KEY is not set." in shown.stderr
    told = printed(nexus(*command, "--json"))
    assert [each["line"] for each in told["configuration_problems"]] == [3]
    assert [each["name"] for each in told["unusable"]] == ["acme"]


def test_a_status_is_shown_also_where_the_router_does_not_say_what_is_in_force(mesh, nexus):
    mesh.answers["ListProviders"] = errors.UpstreamDown("STORAGE_DOWN", "The database is locked.")
    shown = nexus("status")
    assert shown.exit_code == 0
    assert "could not be asked: The database is locked." in shown.stderr


def deployment_status() -> router_pb2.DeploymentStatus:
    measured = contract_pb2.Measured(
        calls=400, success_ppm=999_999, first_token_p50_ms=120, first_token_p95_ms=340, tokens_per_second=77
    )
    status = router_pb2.DeploymentStatus(
        model="acme/big",
        deployment="east",
        breaker=router_pb2.BREAKER_STATE_HALF_OPEN,
        in_flight=3,
        measured=measured,
        broken_promises=["first_token_p95_ms"],
        usable_keys=1,
        configured_keys=2,
        last_error_reason="PROVIDER_TIMEOUT",
    )
    status.paused_until.GetCurrentTime()
    status.paused_until.seconds += 90
    return status


def test_deployments_are_listed_with_what_was_measured(mesh, nexus):
    provider = router_pb2.Provider(name="acme", type="anthropic", deployments=[deployment_status()])
    mesh.answers["ListProviders"] = lambda _: router_pb2.ListProvidersResponse(providers=[provider])
    shown = nexus("providers", "list").stdout
    words = ("acme/big", "east", "half open paused ", "99.99 % of 400", "120 / 340 ms", "77", "1/2")
    assert [word for word in words if word not in shown] == []
    assert "breaks its promise of first token, 95 %; PROVIDER_TIMEOUT" in shown
    listed = printed(nexus("providers", "list", "--json"))["providers"][0]["deployments"][0]
    assert (listed["breaker"], listed["usable_keys"]) == ("BREAKER_STATE_HALF_OPEN", 1)


def test_every_place_of_a_provider_is_listed_and_which_answers_again(mesh, nexus):
    status = router_pb2.DeploymentStatus(
        model="acme/big",
        deployment="east",
        last_error_reason="PROVIDER_UNREACHABLE",
        seems_back=True,
        broken_promises=["availability_ppm"],
    )
    provider = router_pb2.Provider(
        name="acme",
        type="anthropic",
        state=router_pb2.PROVIDER_STATE_AVAILABLE,
        base_url="https://east.test",
        places=[
            router_pb2.ProviderPlace(deployment="east", base_url="https://east.test"),
            router_pb2.ProviderPlace(deployment="west", base_url="https://west.test"),
        ],
        deployments=[status],
    )
    mesh.answers["ListProviders"] = lambda _: router_pb2.ListProvidersResponse(providers=[provider])
    shown = " ".join(nexus("providers", "list").stdout.split())
    assert "east https://east.test" in shown
    assert "west https://west.test" in shown
    assert (
        "breaks its promise of availability; PROVIDER_UNREACHABLE, answers again (probe), calls may go there" in shown
    )


@pytest.mark.parametrize("as_json", [False, True])
def test_watching_providers_shows_them_again_and_again(mesh, nexus, as_json):
    states = [router_pb2.PROVIDER_STATE_AVAILABLE, router_pb2.PROVIDER_STATE_FAILING]

    def answer(_):
        state = states.pop(0)
        if not states:
            mesh.answers["ListProviders"] = errors.UpstreamDown("STORAGE_DOWN", "Gone.")
        return router_pb2.ListProvidersResponse(providers=[router_pb2.Provider(name="acme", state=state)])

    mesh.answers["ListProviders"] = answer
    shown = nexus("providers", "list", "--watch", *(["--json"] if as_json else []))
    assert shown.exit_code == 3
    if as_json:
        found = [json.loads(line)["providers"][0]["state"] for line in shown.stdout.splitlines()]
        assert found == ["PROVIDER_STATE_AVAILABLE", "PROVIDER_STATE_FAILING"]
    else:
        assert shown.stdout.index("available") < shown.stdout.index("failing")


def test_models_are_listed_with_what_they_can_and_cost(mesh, nexus):
    model = router_pb2.Model(name="acme/big", chat=True, tool_calling=True, input_micro_usd_per_million=2_500_000)
    odd = router_pb2.Model(name="acme/odd", chat=True, price_unknown=True)
    mesh.answers["ListModels"] = lambda _: router_pb2.ListModelsResponse(models=[model, odd])
    shown = nexus("models", "list")
    assert "chat, tools" in shown.stdout
    assert "2.50" in shown.stdout
    assert shown.stdout.splitlines()[2].split() == ["acme/odd", "chat", "unknown", "unknown"]
    assert "not used where a budget or a cost limit applies" in shown.stderr
    assert printed(nexus("models", "list", "--json"))["models"][1]["price_unknown"] is True


def test_tools_are_listed_and_switched(mesh, nexus):
    tool = tools_pb2.Tool(name="calculator", enabled=False, description="Computes.")
    mesh.answers["ListTools"] = lambda _: tools_pb2.ListToolsResponse(tools=[tool])
    mesh.answers["SetToolState"] = lambda request: settings_pb2.SetToolStateResponse(
        tool=settings_pb2.ToolState(name=request.name, enabled=request.enabled)
    )
    assert "disabled" in nexus("tools", "list").stdout
    assert nexus("tools", "enable", "calculator").stdout == "calculator is enabled.\n"
    assert printed(nexus("tools", "disable", "calculator", "--json"))["tool"]["enabled"] is False
    assert [request.enabled for request in mesh.requests("SetToolState")] == [True, False]


def test_settings_are_read_whole_by_group_and_one_by_one(mesh, nexus):
    config = settings_pb2.Config(agent=settings_pb2.AgentConfig(max_steps=8), etag="e-1")
    mesh.answers["GetConfig"] = lambda _: settings_pb2.GetConfigResponse(config=config)
    assert nexus("settings", "get", "agent.max_steps").stdout == "8\n"
    assert printed(nexus("settings", "get", "agent", "--json"))["max_steps"] == 8
    assert "calendar.url" in nexus("settings", "get").stdout
    assert refused(nexus("settings", "get", "nope", "--json"), 2)["reason"] == "PATH_UNKNOWN"


def test_a_setting_is_changed_by_a_mask_of_one_path_with_the_etag_that_was_read(mesh, nexus):
    mesh.answers["GetConfig"] = lambda _: settings_pb2.GetConfigResponse(config=settings_pb2.Config(etag="e-1"))
    mesh.answers["UpdateConfig"] = lambda request: settings_pb2.UpdateConfigResponse(config=request.config)

    assert nexus("settings", "set", "agent.max_steps", "9").stdout == "agent.max_steps = 9\n"

    request = mesh.requests("UpdateConfig")[0]
    assert list(request.update_mask.paths) == ["agent.max_steps"]
    assert (request.config.agent.max_steps, request.config.etag, bool(request.request_id)) == (9, "e-1", True)


def test_a_setting_that_is_wrong_is_refused_before_anybody_is_asked(mesh, nexus):
    error = refused(nexus("settings", "set", "agent.max_steps", "many", "--json"), 2)
    assert (error["reason"], mesh.calls) == ("VALUE_INVALID", [])


@pytest.fixture
def settable(mesh):
    models = [router_pb2.Model(name="acme/big", chat=True), router_pb2.Model(name="acme/embed", embeddings=True)]
    mesh.answers |= {
        "GetConfig": lambda _: settings_pb2.GetConfigResponse(),
        "UpdateConfig": lambda request: settings_pb2.UpdateConfigResponse(config=request.config),
        "ListModels": lambda _: router_pb2.ListModelsResponse(models=models),
    }
    return mesh


@pytest.mark.parametrize("model", ["nope/x", "acme/embed"])
def test_a_default_model_that_is_none_is_refused_with_those_there_are(settable, nexus, model):
    error = refused(nexus("settings", "set", "agent.default_model", model, "--json"), 2)
    assert error["reason"] == "MODEL_UNKNOWN"
    assert f"no chat model {model!r}. Configured: acme/big. --force" in error["message"]
    assert settable.requests("UpdateConfig") == []


@pytest.mark.parametrize("words", [("acme/big",), ("",), ("nope/x", "--force")])
def test_a_default_model_that_there_is_or_none_or_a_forced_one_is_set(settable, nexus, words):
    assert nexus("settings", "set", "agent.default_model", *words).exit_code == 0
    assert [request.config.agent.default_model for request in settable.requests("UpdateConfig")] == [words[0]]


def test_a_default_model_is_set_also_while_the_router_is_away_and_that_it_was_not_asked_is_told(settable, nexus):
    settable.answers["ListModels"] = errors.UpstreamDown("UNREACHABLE", "Gone.")
    set_anyway = nexus("settings", "set", "agent.default_model", "nope/x")
    assert (set_anyway.exit_code, set_anyway.stdout) == (0, "agent.default_model = nope/x\n")
    assert "Whether there is a model 'nope/x' could not be asked: Gone." in set_anyway.stderr


def test_a_change_that_came_too_late_says_so(mesh, nexus):
    mesh.answers["GetConfig"] = lambda _: settings_pb2.GetConfigResponse()
    mesh.answers["UpdateConfig"] = errors.StaleWrite("ETAG_STALE", "The settings changed. Read them again.")
    assert refused(nexus("settings", "set", "agent.max_steps", "9", "--json"), 1)["reason"] == "ETAG_STALE"


def test_a_calendar_is_imported_under_its_files_name(mesh, nexus, tmp_path):
    file = tmp_path / "work.ics"
    file.write_bytes(b"BEGIN:VCALENDAR")
    mesh.answers["ImportCalendar"] = lambda _: dashboard_pb2.ImportCalendarResponse(event_count=3)
    assert nexus("calendar", "import", str(file)).stdout == "Imported 3 events as work.\n"
    request = mesh.requests("ImportCalendar")[0]
    assert (request.name, request.ics) == ("work", b"BEGIN:VCALENDAR")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "FILE_UNREADABLE"), (b"", "FILE_EMPTY"), (b"x" * (2 * 1024 * 1024 + 1), "FILE_TOO_LARGE")],
)
def test_a_calendar_that_cannot_be_sent_is_refused(mesh, nexus, tmp_path, content, reason):
    file = tmp_path / "work.ics"
    if content is not None:
        file.write_bytes(content)
    assert refused(nexus("calendar", "import", str(file), "--json"), 2)["reason"] == reason


def test_a_calendar_is_shown_in_the_zone_that_was_asked_for(mesh, nexus):
    event = dashboard_pb2.CalendarEvent(title="Inspection", calendar="work")
    made_up = dashboard_pb2.CalendarEvent(title="Dentist", calendar="Demonstration", demo=True)
    event.start_time.FromJsonString("2026-11-21T10:00:00Z")
    event.end_time.FromJsonString("2026-11-21T11:00:00Z")
    source = dashboard_pb2.SourceStatus(adapter="icalendar_url", error="It does not answer.")
    mesh.answers["GetContext"] = lambda _: dashboard_pb2.GetContextResponse(
        context=dashboard_pb2.Context(calendar_events=[event, made_up], sources=[source])
    )
    shown = nexus("calendar", "show", "--time-zone", "Asia/Tokyo", "--days", "2")
    assert "Sat 2026-11-21 19:00" in shown.stdout
    assert shown.stdout.splitlines()[-1].split("  ")[-1] == "demonstration"
    assert "It does not answer." in shown.stderr
    request = mesh.requests("GetContext")[0]
    assert request.end_time.seconds - request.start_time.seconds == 2 * 86400
    assert refused(nexus("calendar", "show", "--time-zone", "Mars/Base", "--json"), 2)["reason"] == "TIME_ZONE_UNKNOWN"


def test_status_tells_a_degraded_mesh_by_its_exit_code(mesh, nexus):
    assert printed(nexus("status", "--json"))["phase"] == "ready"
    mesh.write_state("degraded", router="backoff")
    assert nexus("status").exit_code == 1


def test_the_doctor_looks_at_every_part_and_goes_on_when_one_does_not_answer(mesh, nexus):
    image = sandbox_pb2.Image(name="data", remedy="set up")
    mesh.answers |= {
        "WhoAmI": lambda _: identity_pb2.WhoAmIResponse(principal=identity_pb2.Principal(org_id="o", user_id="u")),
        "GetIsolation": lambda _: sandbox_pb2.GetIsolationResponse(available=False, remedy="sysctl this"),
        "ListImages": lambda _: sandbox_pb2.ListImagesResponse(images=[image]),
        "ListProviders": errors.UpstreamDown("STORAGE_DOWN", "The database is locked."),
        "ListModels": lambda _: router_pb2.ListModelsResponse(),
    }
    found = {check["check"]: check for check in printed(nexus("doctor", "--json"), code=1)["checks"]}
    assert found["owner key"]["level"] == "ok"
    assert (found["isolation"]["level"], found["isolation"]["remedy"]) == ("fail", "sysctl this")
    assert (found["providers"]["level"], found["providers"]["detail"]) == ("fail", "The database is locked.")
    assert (found["image data"]["level"], found["image data"]["remedy"]) == ("warn", "set up")
    assert found["local model"]["level"] == "ok"
    assert "isolation: sysctl this" in nexus("doctor").stderr


@pytest.mark.parametrize("command", LIST_COMMANDS, ids=" ".join)
def test_without_a_mesh_each_command_says_how_to_start_one(nexus, command):
    error = refused(nexus(*command, "--json"), 3)
    assert error["reason"] == "MESH_NOT_RUNNING"
    assert "nexus up" in error["message"]


@pytest.mark.parametrize("command", LIST_COMMANDS, ids=" ".join)
def test_a_wrong_key_is_told_by_the_exit_code(mesh, nexus, monkeypatch, command):
    monkeypatch.setenv("NEXUS_API_KEY", "nxk_wrong")
    error = refused(nexus(*command, "--json"), 4)
    assert error["reason"] == "KEY_UNKNOWN"
    assert error["message"].endswith(" It was read from NEXUS_API_KEY.")
    assert len(error["trace_id"]) == 32


def test_a_key_that_is_not_known_is_told_with_its_file(mesh, nexus):
    mesh.layout.owner_key.write_text("nxk_old")
    error = refused(nexus("runs", "list", "--json"), 4)
    assert error["message"].endswith(f" It was read from {mesh.layout.owner_key}.")


def test_an_address_that_serves_something_else_is_named(mesh, nexus, monkeypatch):
    monkeypatch.setenv("NEXUS_ADDRESS", f"unix:{mesh.layout.run / 'tools'}.sock")
    monkeypatch.setenv("NEXUS_API_KEY", KEY)
    message = refused(nexus("runs", "list", "--json"), 1)["message"]
    assert "tools.sock does not serve this part of the orchestrator service" in message


def test_what_is_wrong_with_a_field_is_told_once(mesh, nexus):
    violation = errors.FieldViolation("ics", "line 1: BEGIN:VCALENDAR is expected here")
    message = "This is not a usable file: line 1: BEGIN:VCALENDAR is expected here."
    mesh.answers["ListRuns"] = errors.InvalidInput("X", message, violations=[violation])
    assert nexus("runs", "list").stderr.startswith(f"{message}  [X, trace ")
    other = errors.FieldViolation("name", "is too long")
    mesh.answers["ListRuns"] = errors.InvalidInput("X", message, violations=[violation, other])
    assert nexus("runs", "list").stderr.startswith(f"{message} (name: is too long)  [X, trace ")


@pytest.mark.parametrize("command", LIST_COMMANDS, ids=" ".join)
def test_a_service_that_is_away_is_told_by_the_exit_code(mesh, nexus, command):
    mesh.stop_all()
    assert refused(nexus(*command, "--json"), 3)["reason"] == "UNREACHABLE"


def test_the_key_comes_from_the_data_directory_and_is_never_shown(mesh, nexus):
    mesh.answers["ListRuns"] = errors.NotFound("RUN_NOT_FOUND", "There is no such run.")
    result = nexus("runs", "list")
    assert result.exit_code == 5
    assert mesh.metadata("ListRuns")["authorization"] == f"Bearer {KEY}"
    assert KEY not in result.output
    trace = mesh.metadata("ListRuns")["traceparent"].split("-")[1]
    assert f"[RUN_NOT_FOUND, trace {trace}]" in result.stderr


def test_a_missing_key_says_where_it_should_be(mesh, nexus):
    mesh.layout.owner_key.unlink()
    assert refused(nexus("runs", "list", "--json"), 4)["reason"] == "KEY_MISSING"


def test_a_key_never_travels_in_clear_to_another_machine(nexus, monkeypatch):
    monkeypatch.setenv("NEXUS_ADDRESS", "mesh.example.org:50054")
    monkeypatch.setenv("NEXUS_API_KEY", KEY)
    assert refused(nexus("runs", "list", "--json"), 2)["reason"] == "ADDRESS_INSECURE"


def test_an_unknown_command_or_option_is_a_usage_error(nexus):
    assert nexus("fly").exit_code == 2
    assert nexus("runs", "list", "--limit", "0").exit_code == 2


def test_the_help_lists_every_command_without_importing_any():
    shown = CliRunner().invoke(app, ["--help"]).stdout
    for name in (
        "up",
        "down",
        "status",
        "doctor",
        "ask",
        "runs",
        "providers",
        "models",
        "tools",
        "settings",
        "calendar",
    ):
        assert name in shown


@pytest.mark.parametrize("command", [(), ("up",), ("tools", "list")], ids=" ".join)
def test_flags_are_shown_without_a_value(command):
    shown = CliRunner().invoke(app, [*command, "--help"]).stdout
    assert "--help" in shown
    assert "<bool>" not in shown


def test_versions_are_shown(nexus):
    versions = printed(nexus("version", "--json"))
    assert {"nexus", "python", "grpcio"} <= set(versions)
    short = CliRunner().invoke(app, ["--version"])
    assert (short.exit_code, short.stdout) == (0, f"nexus {versions['nexus']}\n")


def test_stopping_what_does_not_run_is_no_error(nexus):
    assert printed(nexus("down", "--json")) == {"stopped": False, "supervisor_pid": None}
