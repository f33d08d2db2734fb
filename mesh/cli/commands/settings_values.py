"""`nexus settings`: the organisation's configuration."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from google.protobuf.field_mask_pb2 import FieldMask

from mesh.cli.config_paths import assign, look_up, settable_paths
from mesh.cli.invocation import invoke
from mesh.cli.known_models import refuse_unknown_model
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output, as_dict
from mesh.cli.session import UNARY_TIMEOUT_S, Link, Session
from protos.gen.nexus.settings.v1 import settings_pb2, settings_pb2_grpc
from shared.ids import new_id

app = typer.Typer(no_args_is_help=True, add_completion=False)
_MODEL = "agent.default_model"


@app.callback()
def settings() -> None:
    """The organisation's settings."""


@app.command("get")
def get_value(
    path: Annotated[
        str, typer.Argument(help="For example agent.max_steps, or agent; default: all.", metavar="PATH")
    ] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one setting, a group of them, or all."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("settings") as link:
            config = await _config(link)
        found: Any = look_up(config, path) if path else as_dict(config)
        if output.as_json:
            output.json_value(found)
        elif path and not isinstance(found, dict):
            output.line(_text(found))
        else:
            shown = [p for p in settable_paths(config) if not path or p.startswith(f"{path}.")]
            output.table(("setting", "value"), [(p, _text(look_up(config, p))) for p in shown], "No settings.")

    invoke(work, data, as_json=as_json)


@app.command("set")
def set_value(
    path: Annotated[str, typer.Argument(help="For example agent.max_steps.", metavar="PATH")],
    value: Annotated[
        str, typer.Argument(help="The new value; a list as words separated by commas, or JSON.", metavar="VALUE")
    ],
    force: Annotated[bool, typer.Option("--force", help="Set a default model that the router does not list.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change one setting. Refused when somebody else changed the settings at the same moment."""

    async def work(session: Session, output: Output) -> None:
        changed = settings_pb2.Config()
        assign(changed, path, value)
        async with session.connect("settings") as link:
            changed.etag = (await _config(link)).etag
            if path == _MODEL and value and not force:
                await refuse_unknown_model(session, value, output)
            stub = settings_pb2_grpc.SettingsServiceStub(link.channel)
            request = settings_pb2.UpdateConfigRequest(
                config=changed, update_mask=FieldMask(paths=[path]), request_id=new_id()
            )
            reply = await stub.UpdateConfig(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        else:
            output.line(f"{path} = {_text(look_up(reply.config, path))}")

    invoke(work, data, as_json=as_json)


async def _config(link: Link) -> settings_pb2.Config:
    stub = settings_pb2_grpc.SettingsServiceStub(link.channel)
    request = settings_pb2.GetConfigRequest()
    reply = await stub.GetConfig(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
    return reply.config


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
