from pathlib import Path, PurePath

import pytest

from mesh.supervisor.domain.data_layout import DataLayout
from mesh.supervisor.domain.mesh_plan import PlanInputs, plan_mesh
from mesh.supervisor.domain.port_plan import port_count, ports_from, ports_from_base
from mesh.supervisor.domain.process_spec import GrpcProbe, HttpProbe
from shared.errors import InvalidInput

DATA = Path("/data")
NAMES = ("orchestrator", "router", "tools", "sandbox", "settings", "dashboard", "mcp", "local-model")


def plan(workers=1, **inherited):
    inputs = PlanInputs(
        layout=DataLayout(DATA),
        socket_dir=DATA / "run",
        ports=ports_from_base(50054, workers),
        providers_file=Path("/config/providers.yaml"),
        weights_dir=Path("/weights"),
        provider_keys={"ACME_KEY", "ABSENT_KEY"},
        inherited={"PATH": "/bin", "HOME": "/home/me", **inherited},
    )
    return {spec.name: spec for spec in plan_mesh(inputs)}


def test_every_process_is_planned_with_its_default_ports():
    specs = plan()
    assert tuple(specs) == NAMES
    assert [specs[name].tcp_address for name in NAMES[:7]] == [f"127.0.0.1:{port}" for port in range(50054, 50061)]
    assert [specs[name].metrics_address for name in NAMES[:7]] == [f"127.0.0.1:{port}" for port in range(9154, 9161)]


def test_a_service_listens_on_its_socket_and_its_port_and_finds_its_peers_by_their_sockets():
    tools = plan()["tools"]
    assert tools.module == "tool_executor"
    assert tools.probes == (GrpcProbe("unix:/data/run/tools.sock"),)
    assert tools.sockets == (PurePath("/data/run/tools.sock"),)
    environment = tools.environment
    assert environment["NEXUS_TOOLS_LISTEN"] == "unix:/data/run/tools.sock,127.0.0.1:50056"
    assert environment["NEXUS_TOOLS_SANDBOX_ADDRESS"] == "unix:/data/run/sandbox.sock"
    assert environment["NEXUS_TOOLS_SETTINGS_ADDRESS"] == "unix:/data/run/settings.sock"
    assert environment["NEXUS_TOOLS_MESH_KEY_FILE"] == "/data/secrets/mesh.key"
    assert environment["NEXUS_TOOLS_METRICS_PORT"] == "9156"


def test_the_router_finds_the_local_model_where_it_listens():
    specs = plan()
    router, model = specs["router"].environment, specs["local-model"]
    assert router["NEXUS_ROUTER_LOCAL_CHAT_URL"] == "http://127.0.0.1:50061/v1"
    assert router["NEXUS_ROUTER_LOCAL_KEY_FILE"] == model.environment["NEXUS_LOCAL_MODEL_KEY_FILE"]
    assert model.environment["NEXUS_LOCAL_MODEL_CHAT_PORT"] == "50061"
    assert model.probes == (HttpProbe("127.0.0.1", 50061), HttpProbe("127.0.0.1", 50062))


def test_a_provider_key_reaches_the_router_alone():
    specs = plan(ACME_KEY="sk-acme", OTHER_KEY="sk-other")
    holders = [name for name, spec in specs.items() if "sk-acme" in spec.environment.values()]
    assert holders == ["router"]
    assert all("sk-other" not in spec.environment.values() for spec in specs.values())
    assert "ABSENT_KEY" not in specs["router"].environment


def test_an_override_reaches_its_service_alone():
    specs = plan(NEXUS_TOOLS_LOG_LEVEL="DEBUG", NEXUS_LOCAL_MODEL_THREADS="4")
    assert {n for n, s in specs.items() if "NEXUS_TOOLS_LOG_LEVEL" in s.environment} == {"tools"}
    assert {n for n, s in specs.items() if "NEXUS_LOCAL_MODEL_THREADS" in s.environment} == {"local-model"}


def test_nothing_else_of_the_environment_is_passed_on():
    specs = plan(AWS_SECRET_ACCESS_KEY="x", NEXUS_API_KEY="nxk_1", LD_PRELOAD="/evil.so", PYTHONPATH="/evil")
    for spec in specs.values():
        assert not {"AWS_SECRET_ACCESS_KEY", "NEXUS_API_KEY", "LD_PRELOAD", "PYTHONPATH"} & set(spec.environment)
        assert (spec.environment["PATH"], spec.environment["LANG"]) == ("/bin", "C.UTF-8")


def test_what_the_supervisor_decides_cannot_be_overridden_silently():
    with pytest.raises(InvalidInput, match="NEXUS_TOOLS_LISTEN") as refused:
        plan(NEXUS_TOOLS_LISTEN="0.0.0.0:1")
    assert refused.value.reason == "SETTING_OWNED"


def test_the_providers_file_and_the_weights_can_be_chosen():
    specs = plan(NEXUS_ROUTER_PROVIDERS_FILE="/mine.yaml", NEXUS_LOCAL_MODEL_WEIGHTS_DIR="/elsewhere")
    assert specs["router"].environment["NEXUS_ROUTER_PROVIDERS_FILE"] == "/mine.yaml"
    assert specs["local-model"].environment["NEXUS_LOCAL_MODEL_WEIGHTS_DIR"] == "/elsewhere"


def test_environments_do_not_show_in_the_text_of_a_plan():
    assert "sk-acme" not in repr(plan(ACME_KEY="sk-acme"))


@pytest.mark.parametrize("base", [1024, 50054, 65000])
@pytest.mark.parametrize("workers", [1, 3])
def test_no_port_is_planned_twice(base, workers):
    assert len(ports_from_base(base, workers).wanted()) == port_count(workers)


@pytest.mark.parametrize("workers", [1, 3])
def test_free_ports_are_spread_over_all_purposes(workers):
    free = list(range(2000, 2000 + port_count(workers)))
    assert sorted(ports_from(free).wanted()) == free


def test_the_router_and_the_mcp_server_speak_http():
    specs = plan()
    assert {name: spec.http_address for name, spec in specs.items() if spec.http_address} == {
        "router": "127.0.0.1:8055",
        "mcp": "127.0.0.1:8056",
    }
    assert specs["mcp"].environment["NEXUS_MCP_HTTP_LISTEN"] == "127.0.0.1:8056"
    assert specs["mcp"].environment["NEXUS_MCP_TOOLS_ADDRESS"] == "unix:/data/run/tools.sock"
    environment = specs["router"].environment
    assert environment["NEXUS_ROUTER_HTTP_LISTEN"] == "127.0.0.1:8055"
    assert environment["NEXUS_ROUTER_HTTP_SHARED_PORT"] == "false"


def test_the_user_decides_where_the_http_surfaces_are():
    elsewhere = plan(NEXUS_ROUTER_HTTP_LISTEN="0.0.0.0:80")["router"]
    assert (elsewhere.http_address, elsewhere.environment["NEXUS_ROUTER_HTTP_LISTEN"]) == ("0.0.0.0:80", "0.0.0.0:80")
    assert plan(NEXUS_ROUTER_HTTP_LISTEN="")["router"].http_address == ""
    assert plan(NEXUS_MCP_HTTP_LISTEN="0.0.0.0:81")["mcp"].http_address == "0.0.0.0:81"


def test_no_mcp_server_is_started_where_it_has_no_address():
    assert "mcp" not in plan(NEXUS_MCP_HTTP_LISTEN="")


def test_further_routers_share_the_port_and_have_sockets_of_their_own():
    specs = plan(workers=3, ACME_KEY="sk-acme")
    routers = [specs[name] for name in ("router", "router-2", "router-3")]
    assert [spec.module for spec in routers] == ["provider_router"] * 3
    assert {spec.http_address for spec in routers} == {"127.0.0.1:8055"}
    assert {spec.environment["NEXUS_ROUTER_HTTP_SHARED_PORT"] for spec in routers} == {"true"}
    assert {spec.environment["ACME_KEY"] for spec in routers} == {"sk-acme"}
    assert [spec.environment["NEXUS_ROUTER_LISTEN"] for spec in routers[1:]] == [
        "unix:/data/run/router-2.sock",
        "unix:/data/run/router-3.sock",
    ]
    assert [spec.probes for spec in routers[1:]] == [
        (GrpcProbe("unix:/data/run/router-2.sock"),),
        (GrpcProbe("unix:/data/run/router-3.sock"),),
    ]
    assert len({spec.metrics_address for spec in routers} | {spec.log_file for spec in routers}) == 6


@pytest.mark.parametrize(("root", "fits"), [("/data", True), ("/" + "d" * 90, False), ("/" + "ü" * 45, False)])
def test_sockets_fit_up_to_the_kernels_limit_in_bytes(root, fits):
    assert DataLayout(Path(root)).sockets_fit is fits


def test_each_stops_before_what_it_works_with():
    turns = {name: spec.stop_turn for name, spec in plan().items()}
    assert turns["mcp"] < turns["orchestrator"] < min(turns["router"], turns["settings"])
    assert [name for name, turn in turns.items() if turn > turns["router"]] == ["local-model"]
