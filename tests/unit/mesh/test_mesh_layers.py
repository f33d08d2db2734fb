"""The supervisor's own layers: what is pure stays pure."""

import ast
from pathlib import Path

import pytest

SUPERVISOR = Path(__file__).resolve().parents[3] / "mesh" / "supervisor"
MACHINE = {
    "grpc",
    "grpc_health",
    "os",
    "socket",
    "subprocess",
    "signal",
    "fcntl",
    "shutil",
    "tempfile",
    "time",
    "random",
}
ALLOWED = {
    "domain": ("domain",),
    "ports": ("domain", "ports"),
    "use_cases": ("domain", "ports", "use_cases"),
    "adapters": ("domain", "ports", "adapters"),
}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


@pytest.mark.parametrize("layer", ALLOWED)
def test_a_layer_imports_only_those_below_it(layer):
    own = tuple(f"mesh.supervisor.{name}" for name in ALLOWED[layer])
    files = list((SUPERVISOR / layer).glob("*.py"))
    assert files
    wrong = [(f.name, m) for f in files for m in imports(f) if m.startswith("mesh.") and not m.startswith(own)]
    assert wrong == []


@pytest.mark.parametrize("layer", ["domain", "ports", "use_cases"])
def test_a_pure_layer_does_not_touch_the_machine(layer):
    files = (SUPERVISOR / layer).glob("*.py")
    assert [(f.name, m) for f in files for m in imports(f) if m.split(".")[0] in MACHINE] == []
