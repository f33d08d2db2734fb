"""What every test gets: no sockets below the contract tests, and a CI that fails where a laptop would skip."""

from __future__ import annotations

import os
from pathlib import Path

# As the supervisor sets it, and before anything imports gRPC: see mesh/supervisor/domain/environment.py.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

import pytest
from hypothesis import settings
from pytest_socket import disable_socket, enable_socket

TESTS = Path(__file__).parent
NO_SOCKETS = ("architecture", "unit")
# No time limit an example: the machine may be busy. CI tries the same examples each time; a laptop explores.
settings.register_profile("nexus", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("nexus")


def pytest_runtest_setup(item: pytest.Item) -> None:
    kind = item.path.relative_to(TESTS).parts[0]
    if kind in NO_SOCKETS:
        disable_socket(allow_unix_socket=True)


def pytest_runtest_teardown() -> None:
    enable_socket()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """In CI a skipped test is a failure: the machine must have what the test needs."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"


# Cheap before dear, and the suites that keep a whole mesh running last: others look at the machine's processes.
ORDER = ("architecture", "unit", "conformance", "contract", "integration", "security", "e2e", "chaos")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: ORDER.index(item.path.relative_to(TESTS).parts[0]))
