"""What a terminal would obey never reaches it, in JSON neither; a key is sent to this machine alone."""

from __future__ import annotations

import json

import pytest

from mesh.cli.failures import report
from mesh.cli.output import Output
from mesh.cli.session import Session
from mesh.cli.settings import CliSettings
from shared.errors import InvalidInput

HOSTILE = "a\x1b[2Jb\x9b31mc\x07d\x7fe\u202ef\u061cg"
CONTROLS = set(HOSTILE) - set("a[2Jb31mcdefg")


def test_json_on_standard_output_escapes_controls_and_keeps_the_text(capsys) -> None:
    Output(as_json=True).json_value({"text": HOSTILE, "other": "Grüße 世界"})
    printed = capsys.readouterr().out
    assert not [character for character in CONTROLS if character in printed]
    assert json.loads(printed) == {"text": HOSTILE, "other": "Grüße 世界"}
    assert "Grüße 世界" in printed


@pytest.mark.parametrize("as_json", [True, False])
def test_a_failure_never_prints_controls(capsys, as_json) -> None:
    report(InvalidInput(f"BAD{HOSTILE}", HOSTILE, metadata={"x": HOSTILE}), as_json=as_json, trace_id=HOSTILE)
    printed = capsys.readouterr().err
    assert not [character for character in CONTROLS if character in printed]


@pytest.mark.parametrize("address", ["127.example.org:1", "127.0.0.1.example.org:50054", "localhost:1@example.org:2"])
async def test_a_host_that_only_looks_like_loopback_gets_no_key(tmp_path, address) -> None:
    settings = CliSettings(data=tmp_path, address=address, api_key="nxk_secret")
    with pytest.raises(InvalidInput, match="ADDRESS_INSECURE"):
        async with Session(settings, "0" * 32).connect("orchestrator"):
            pass


@pytest.mark.parametrize("address", ["127.0.0.1:50054", "localhost:50054", "[::1]:50054"])
async def test_loopback_is_let_through(tmp_path, address) -> None:
    settings = CliSettings(data=tmp_path, address=address, api_key="nxk_secret")
    async with Session(settings, "0" * 32).connect("orchestrator") as link:
        assert dict(link.metadata)["authorization"] == "Bearer nxk_secret"
