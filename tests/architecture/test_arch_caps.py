"""The caps of the design: sizes, names, docstrings, and where the environment may be read. No list of exceptions."""

from __future__ import annotations

import ast
import statistics
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = (
    "orchestrator",
    "provider_router",
    "tool_executor",
    "settings_service",
    "sandbox_service",
    "dashboard_service",
)
CODE = (*SERVICES, "mesh", "shared", "gateway", "protos", "benchmarks")
FORBIDDEN_STEMS = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
GUEST = ROOT / "sandbox_service" / "adapters" / "guest"
LAUNCHER = GUEST.parent / "launcher"
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
PURE_LAYERS = ("domain", "ports", "use_cases")
DRIVERS = ("grpc", "protos", "sqlalchemy", "aiosqlite", "aiohttp", "httpx")
IMPURE = (*DRIVERS, "os", "subprocess", "socket", "random", "time")
PURE_SHARED = (
    "shared.auth.principal",
    "shared.circuit_breaker",
    "shared.clock",
    "shared.errors",
    "shared.ids",
    "shared.value",
)


def _files(*roots: str) -> list[Path]:
    found = [p for root in roots for p in (ROOT / root).rglob("*.py")]
    return sorted(p for p in found if "gen" not in p.relative_to(ROOT).parts)


CODE_FILES = _files(*CODE)
TEST_FILES = _files("tests")
# What is laid out as a service is, with its layers.
LAID_OUT = (*SERVICES, "gateway/mcp_server")
SERVICE_FILES = _files(*LAID_OUT)
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in {*CODE_FILES, *TEST_FILES}}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _inside(path: Path) -> tuple[str, ...]:
    """Where in its service a file is."""
    root = next(ROOT / each for each in LAID_OUT if path.is_relative_to(ROOT / each))
    return path.relative_to(root).parts


def _functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_files_are_at_most_500_lines_and_tests_600() -> None:
    long = [_name(p) for p in CODE_FILES if len(p.read_text().splitlines()) > 500]
    long += [_name(p) for p in TEST_FILES if len(p.read_text().splitlines()) > 600]
    assert long == []


def test_the_median_file_is_at_most_120_lines() -> None:
    assert statistics.median(len(p.read_text().splitlines()) for p in CODE_FILES) <= 120


def test_functions_are_at_most_60_lines() -> None:
    long = [
        f"{_name(path)}:{f.lineno} {f.name}"
        for path in (*CODE_FILES, *TEST_FILES)
        for f in _functions(TREES[path])
        if (f.end_lineno or f.lineno) - f.lineno + 1 > 60
    ]
    assert long == []


def test_no_file_is_named_after_nothing() -> None:
    assert [_name(p) for p in CODE_FILES if p.stem in FORBIDDEN_STEMS] == []


def test_every_module_class_and_function_says_what_it_is() -> None:
    missing = []
    for path in CODE_FILES:
        tree = TREES[path]
        if not ast.get_docstring(tree):
            missing.append(_name(path))
        nodes = [n for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)]
        methods = [m for n in nodes if isinstance(n, ast.ClassDef) for m in n.body if isinstance(m, ast.FunctionDef)]
        missing += [
            f"{_name(path)}:{n.lineno} {n.name}"
            for n in (*nodes, *methods)
            if not n.name.startswith("_") and not ast.get_docstring(n)
        ]
    assert missing == []


def test_the_environment_is_read_in_settings_alone() -> None:
    guilty = [
        f"{_name(path)}:{node.lineno}"
        for path in CODE_FILES
        if path.name != "settings.py"
        and not path.is_relative_to(ROOT / "benchmarks")
        # It sets the environment of programs, which it forks, and reads none of its own.
        and not path.is_relative_to(LAUNCHER)
        for node in ast.walk(TREES[path])
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "putenv"}
    ]
    assert guilty == []


def test_nothing_is_evaluated_pickled_or_run_through_a_shell() -> None:
    guilty = []
    for path in CODE_FILES:
        if path.is_relative_to(GUEST):
            continue  # it runs inside a sandbox and nowhere else: this is what a sandbox is for
        for node in ast.walk(TREES[path]):
            if isinstance(node, ast.Call):
                called = node.func.id if isinstance(node.func, ast.Name) else ""
                shell = any(k.arg == "shell" for k in node.keywords)
                if called in FORBIDDEN_CALLS or shell:
                    guilty.append(f"{_name(path)}:{node.lineno}")
        if _imports(path) & {"pickle", "marshal", "shelve", "dill"}:
            guilty.append(_name(path))
    assert guilty == []


def test_what_runs_untrusted_code_in_its_own_process_reaches_nothing_of_the_service() -> None:
    reached = {m for p in CODE_FILES if p.is_relative_to(GUEST) for m in _imports(p)}
    foreign = {m for m in reached if m.split(".")[0] not in sys.stdlib_module_names}
    assert {m for m in foreign if not m.startswith("sandbox_service.adapters.guest.")} == set()


@pytest.mark.parametrize("service", LAID_OUT)
def test_every_service_has_the_same_layout(service: str) -> None:
    folder = ROOT / service
    entries = {p.name for p in folder.iterdir() if p.name != "__pycache__"}
    required = {
        "__init__.py",
        "__main__.py",
        "main.py",
        "settings.py",
        "README.md",
        "servicer",
        "use_cases",
        "ports",
        "domain",
        "adapters",
    }
    assert entries == required
    assert len((folder / "__main__.py").read_text().splitlines()) <= 15
    for layer in ("servicer", "use_cases", "ports", "domain", "adapters"):
        assert (folder / layer / "__init__.py").is_file(), layer
    assert (folder / "domain" / "errors.py").is_file()


def test_domain_ports_and_use_cases_touch_nothing_outside() -> None:
    guilty = []
    for path in SERVICE_FILES:
        if _inside(path)[0] not in PURE_LAYERS:
            continue
        for module in _imports(path):
            impure = module.split(".")[0] in IMPURE
            foreign = module.startswith("shared.") and not module.startswith(PURE_SHARED)
            if impure or foreign:
                guilty.append(f"{_name(path)} imports {module}")
    assert guilty == []


def test_generated_code_is_imported_by_servicers_and_adapters_alone() -> None:
    guilty = [
        _name(path)
        for path in SERVICE_FILES
        if _inside(path)[0] not in {"servicer", "adapters", "main.py"}
        and any(m.startswith("protos.gen") for m in _imports(path))
    ]
    assert guilty == []


def test_ports_hold_one_protocol_a_file() -> None:
    wrong = []
    for path in SERVICE_FILES:
        parts = _inside(path)
        if len(parts) == 2 and parts[0] == "ports" and path.name != "__init__.py":
            classes = [n for n in TREES[path].body if isinstance(n, ast.ClassDef)]
            protocols = [c for c in classes if any(isinstance(b, ast.Name) and b.id == "Protocol" for b in c.bases)]
            if len(protocols) != 1:
                wrong.append(f"{_name(path)}: {len(protocols)}")
    assert wrong == []


def test_every_table_has_an_organisation() -> None:
    guilty = []
    for path in SERVICE_FILES:
        for node in ast.walk(TREES[path]):
            is_table = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Table"
            if is_table and "org_id" not in ast.unparse(node):
                guilty.append(f"{_name(path)}:{node.lineno}")
    assert guilty == []


def test_test_files_have_unique_names() -> None:
    names = [p.name for p in TEST_FILES if p.name.startswith("test_")]
    assert sorted(names) == sorted(set(names))
