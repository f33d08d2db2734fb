"""These tests share the session's meshes; see tests/mesh_fixtures.py and tests/routing_fixtures.py."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # Registered once for both folders that ask for it, so that they share one mesh.
    config.pluginmanager.import_plugin("mesh_fixtures")
    config.pluginmanager.import_plugin("routing_fixtures")
    config.pluginmanager.import_plugin("gateway_fixtures")
    config.pluginmanager.import_plugin("node_packages")
