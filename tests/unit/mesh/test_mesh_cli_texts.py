"""What people type and what they read."""

import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from mesh.cli.checks.finding import Level, fail, ok, warn, worst
from mesh.cli.checks.host import judge_clock, judge_disk, judge_memory, judge_namespaces, judge_python, judge_system
from mesh.cli.checks.images import judge_image
from mesh.cli.checks.running_mesh import judge_isolation, judge_providers
from mesh.cli.config_paths import assign, look_up, settable_paths
from mesh.cli.exit_codes import ExitCode
from mesh.cli.failures import exit_code_of
from mesh.cli.mesh_views import StartView
from mesh.cli.output import Output
from mesh.cli.printable import one_line, printable
from mesh.cli.question import LONGEST_BYTES, checked
from mesh.cli.wording import counted, enum_word, when
from mesh.supervisor.domain.mesh_state import MeshPhase, MeshState
from protos.gen.nexus.router.v1 import router_pb2
from protos.gen.nexus.sandbox.v1 import sandbox_pb2
from protos.gen.nexus.settings.v1 import settings_pb2
from shared import errors

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@given(st.text())
def test_no_text_can_make_the_terminal_do_anything(text):
    shown = printable(text)
    assert all(c in "\n\t" or unicodedata.category(c) != "Cc" for c in shown)
    assert not set(shown) & set("\u202e\u2066\u200f")


def test_ordinary_text_is_shown_as_it_is():
    assert printable("Grüße, 世界!\n\tok 👍") == "Grüße, 世界!\n\tok 👍"


def test_an_escape_sequence_is_defused():
    assert printable("\x1b[2Jboo\x9b31m") == "\ufffd[2Jboo\ufffd31m"


@given(st.text(), st.integers(1, 50))
def test_one_line_is_one_line_of_the_width(text, width):
    line = one_line(text, width)
    assert len(line) <= width
    assert "\n" not in line


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "QUESTION_EMPTY"),
        (b" \n\t", "QUESTION_EMPTY"),
        (b"a" * (LONGEST_BYTES + 1), "QUESTION_TOO_LONG"),
        (b"caf\xe9?", "QUESTION_NOT_UTF8"),
    ],
)
def test_a_bad_question_is_refused_with_its_reason(raw, reason):
    with pytest.raises(errors.InvalidInput) as refused:
        checked(raw)
    assert refused.value.reason == reason


def test_the_offending_byte_of_a_question_is_named():
    with pytest.raises(errors.InvalidInput, match="byte 0xe9 at offset 3"):
        checked(b"caf\xe9?")


def test_the_largest_question_is_taken():
    assert checked(b"a" * LONGEST_BYTES) == "a" * LONGEST_BYTES


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.PreconditionFailed("MESH_NOT_RUNNING", "."), ExitCode.NOT_RUNNING),
        (errors.PreconditionFailed("WEIGHTS_MISSING", "."), ExitCode.SETUP_INCOMPLETE),
        (errors.PreconditionFailed("IMAGE_NOT_SET_UP", "."), ExitCode.SETUP_INCOMPLETE),
        (errors.PreconditionFailed("ISOLATION_TOO_WEAK", "."), ExitCode.SETUP_INCOMPLETE),
        (errors.PreconditionFailed("BACKEND_LACKS", "."), ExitCode.SETUP_INCOMPLETE),
        (errors.PreconditionFailed("PORT_TAKEN", "."), ExitCode.FAILED),
        (errors.InvalidInput("X", "."), ExitCode.USAGE),
        (errors.Unauthenticated("X", "."), ExitCode.UNAUTHENTICATED),
        (errors.Forbidden("X", "."), ExitCode.UNAUTHENTICATED),
        (errors.NotFound("X", "."), ExitCode.NOT_FOUND),
        (errors.UpstreamDown("X", "."), ExitCode.NOT_RUNNING),
        (errors.Internal("X", "."), ExitCode.FAILED),
    ],
)
def test_each_error_has_its_exit_code(error, code):
    assert exit_code_of(error) is code


def test_the_settings_that_can_be_set_are_those_of_the_contract():
    assert list(settable_paths(settings_pb2.Config())) == [
        "agent.default_model",
        "agent.max_steps",
        "agent.max_tool_calls",
        "agent.timeout_s",
        "agent.time_zone",
        "tools.disabled",
        "tools.scopes",
        "calendar.url",
        "calendar.demo",
        "sandbox.least_isolation",
    ]


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("agent.default_model", "local/chat", "local/chat"),
        ("agent.default_model", "", ""),
        ("agent.max_steps", " 9 ", 9),
        ("calendar.demo", "off", False),
        ("calendar.demo", "TRUE", True),
        ("tools.disabled", "b, a", ["b", "a"]),
        ("tools.disabled", '["a,b"]', ["a,b"]),
        ("tools.disabled", "", []),
    ],
)
def test_a_value_is_read_as_the_contract_types_it(path, text, value):
    config = settings_pb2.Config()
    assign(config, path, text)
    assert look_up(config, path) == value


def test_a_list_is_replaced_and_not_extended():
    config = settings_pb2.Config(tools=settings_pb2.ToolsConfig(disabled=["old"]))
    assign(config, "tools.disabled", "new")
    assert list(config.tools.disabled) == ["new"]


def test_false_is_a_value_and_not_the_lack_of_one():
    config = settings_pb2.Config()
    assign(config, "calendar.demo", "false")
    assert config.calendar.HasField("demo")


@pytest.mark.parametrize("path", ["", "agent", "agent.nope", "etag", "update_time.seconds", "agent.max_steps.x"])
def test_an_unknown_path_is_refused_with_those_there_are(path):
    with pytest.raises(errors.InvalidInput, match=r"agent\.max_steps, .*calendar\.demo") as refused:
        assign(settings_pb2.Config(), path, "1")
    assert refused.value.reason == "PATH_UNKNOWN"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("agent.max_steps", "many"),
        ("agent.max_steps", "-1"),
        ("agent.max_steps", "4294967296"),
        ("agent.max_steps", ""),
        ("calendar.demo", "perhaps"),
        ("tools.disabled", "[1]"),
        ("tools.disabled", "["),
    ],
)
def test_a_value_that_does_not_fit_is_refused_and_changes_nothing(path, text):
    config = settings_pb2.Config()
    with pytest.raises(errors.InvalidInput) as refused:
        assign(config, path, text)
    assert refused.value.reason == "VALUE_INVALID"
    assert config == settings_pb2.Config()


def test_looking_up_an_unknown_path_is_refused():
    with pytest.raises(errors.InvalidInput):
        look_up(settings_pb2.Config(), "agent.max_steps.x")


def test_states_are_said_in_words():
    state = router_pb2.ProviderState.DESCRIPTOR
    assert enum_word(state, router_pb2.PROVIDER_STATE_NOT_CONFIGURED) == "not configured"
    assert enum_word(state, 99) == "unknown (99)"


def test_a_time_that_is_not_set_is_not_1970():
    assert when(Timestamp()) == ""
    assert when(Timestamp(seconds=1_800_000_000), UTC) == "2027-01-15 08:00:00"


@pytest.mark.parametrize(
    ("finding", "level"),
    [
        (judge_python((3, 11), "3.11.7"), Level.OK),
        (judge_python((3, 10), "3.10.1"), Level.FAIL),
        (judge_python((3, 14), "3.14.0"), Level.FAIL),
        (judge_system("Linux", "x86_64"), Level.OK),
        (judge_system("Darwin", "arm64"), Level.WARN),
        (judge_disk(10**10, Path("/")), Level.OK),
        (judge_disk(5 * 10**8, Path("/")), Level.WARN),
        (judge_disk(10**8, Path("/")), Level.FAIL),
        (judge_memory(10**10), Level.OK),
        (judge_memory(10**8), Level.WARN),
        (judge_clock(NOW, NOW), Level.OK),
        (judge_clock(datetime(1970, 1, 1, tzinfo=UTC), NOW), Level.FAIL),
        (judge_clock(NOW, NOW + timedelta(hours=1)), Level.FAIL),
        (judge_namespaces({}), Level.OK),
        (judge_namespaces({Path("/proc/sys/kernel/unprivileged_userns_clone"): "0"}), Level.FAIL),
        (judge_namespaces({Path("/proc/sys/user/max_user_namespaces"): "0"}), Level.FAIL),
        (judge_namespaces({Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"): "1"}), Level.WARN),
        (judge_isolation(sandbox_pb2.GetIsolationResponse(available=False, remedy="do this")), Level.FAIL),
        (judge_isolation(sandbox_pb2.GetIsolationResponse(available=True, backend="namespaces")), Level.OK),
        (judge_image("base", "Run `make setup`."), Level.FAIL),
        (judge_image("data", "Run `make setup`."), Level.WARN),
        (judge_image("data", ""), Level.OK),
    ],
)
def test_the_doctor_judges_and_names_a_remedy_for_all_that_is_not_well(finding, level):
    assert finding.level is level
    assert bool(finding.remedy) == (level is not Level.OK)


def test_a_layer_that_is_not_enforced_is_a_warning_by_name():
    layer = sandbox_pb2.IsolationLayer(name="cgroup", enforced=False, detail="no controller")
    finding = judge_isolation(sandbox_pb2.GetIsolationResponse(available=True, layers=[layer]))
    assert (finding.level, finding.detail) == (Level.WARN, "not enforced: cgroup (no controller)")


def test_the_worst_finding_counts():
    assert worst([ok("a", "."), fail("b", ".", "."), warn("c", ".", ".")]) is Level.FAIL
    assert worst([]) is Level.OK


def test_a_number_has_its_noun_in_the_right_form():
    assert [counted(n, "event") for n in (0, 1, 2)] == ["0 events", "1 event", "2 events"]


def test_what_cannot_be_used_is_a_warning_that_says_what_to_do():
    unusable = [
        router_pb2.Unusable(
            name="acme", reason="It has no key: the environment variable ACME_KEY is not set or empty."
        ),
        router_pb2.Unusable(name="own/big", reason="The registered contract is suspended. Its provider is gone."),
    ]
    providers = [router_pb2.Provider(name="local"), router_pb2.Provider(name="acme")]
    found = judge_providers(router_pb2.ListProvidersResponse(providers=providers, unusable=unusable))
    assert [(f.check, f.level) for f in found] == [
        ("providers", Level.OK),
        ("provider acme", Level.WARN),
        ("contract own/big", Level.WARN),
    ]
    assert "ACME_KEY" in found[1].detail
    assert "nexus up" in found[1].remedy
    assert "suspended" in found[2].detail
    assert "nexus contracts show own/big" in found[2].remedy


def test_a_refused_key_is_told_once():
    failing = router_pb2.Provider(name="acme", state=router_pb2.PROVIDER_STATE_FAILING)
    unusable = [router_pb2.Unusable(name="acme", reason="It refused its key: the environment variable K is not right.")]
    found = judge_providers(router_pb2.ListProvidersResponse(providers=[failing], unusable=unusable))
    assert [(f.check, f.level) for f in found] == [("providers", Level.OK), ("provider acme", Level.WARN)]
    assert "It refused its key" in found[1].detail


@pytest.mark.parametrize("providers", [[], [router_pb2.Provider(name="local")]])
def test_every_file_that_is_not_in_force_is_a_failure_with_its_line(providers):
    problems = [
        router_pb2.ConfigurationProblem(file="limits.yaml", line=3, message="budgets[0].usd: must be a number"),
        router_pb2.ConfigurationProblem(file="routing/platform.yaml", message="cannot be read"),
    ]
    found = judge_providers(router_pb2.ListProvidersResponse(providers=providers, configuration_problems=problems))
    first, second = found[-2:]
    assert (first.check, first.level) == ("limits.yaml", Level.FAIL)
    assert first.detail == "limits.yaml line 3: budgets[0].usd: must be a number."
    assert "Correct the file" in first.remedy
    assert second.detail == "routing/platform.yaml: cannot be read."
    assert found[0].level is (Level.OK if providers else Level.FAIL)


def test_no_provider_at_all_is_a_failure():
    (found,) = judge_providers(router_pb2.ListProvidersResponse())
    assert (found.level, found.remedy) == (Level.FAIL, "Add one to config/providers.yaml.")


def test_that_the_mesh_stops_is_told_once(capsys):
    view = StartView(Output(as_json=False))
    mesh = MeshState(phase=MeshPhase.READY, supervisor_pid=1, started_at=NOW, data_dir="/d", services=())
    view.ready(mesh)
    for _ in range(2):
        view.update(mesh.model_copy(update={"phase": MeshPhase.STOPPING}))
    assert capsys.readouterr().err == "Stopping ...\n"
