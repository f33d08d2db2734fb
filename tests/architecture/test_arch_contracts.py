"""The contracts keep their promises: permissions, idempotency keys, pages, HTTP paths."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from protos.gen.nexus.options.v1 import options_pb2

ROOT = Path(__file__).resolve().parents[2]
MODULES = [
    ".".join(p.relative_to(ROOT).with_suffix("").parts)
    for p in sorted((ROOT / "protos" / "gen").rglob("*_pb2.py"))
    if "buf" not in p.parts and "options" not in p.parts
]
SERVICES: list[ServiceDescriptor] = [
    service for name in MODULES for service in importlib.import_module(name).DESCRIPTOR.services_by_name.values()
]
METHODS: list[MethodDescriptor] = [m for s in SERVICES for m in s.methods]
MUTATING = ("Create", "Update", "Delete", "Cancel", "Set", "Import", "Execute", "Query")
LEGACY = "agent.AgentService"


def test_there_are_contracts() -> None:
    assert len(METHODS) > 25


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.full_name)
def test_every_rpc_declares_its_permission_and_path(method: MethodDescriptor) -> None:
    options = method.GetOptions()
    resource, _, verb = options.Extensions[options_pb2.permission].partition(".")
    assert resource.isidentifier()
    assert verb.isidentifier()
    assert options.Extensions[annotations_pb2.http].WhichOneof("pattern")


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.full_name)
def test_every_mutating_rpc_takes_a_request_id(method: MethodDescriptor) -> None:
    if method.name.startswith(MUTATING) and method.containing_service.full_name != LEGACY:
        assert "request_id" in method.input_type.fields_by_name


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.full_name)
def test_pages_have_tokens_on_both_sides(method: MethodDescriptor) -> None:
    if "page_size" in method.input_type.fields_by_name:
        assert "page_token" in method.input_type.fields_by_name
        assert "next_page_token" in method.output_type.fields_by_name


def test_http_paths_are_unique() -> None:
    paths = []
    for method in METHODS:
        http = method.GetOptions().Extensions[annotations_pb2.http]
        kind = http.WhichOneof("pattern")
        paths.append((kind, getattr(http, kind)))
    assert len(paths) == len(set(paths))
