"""`nexus doctor`: finds out what is wrong and says what to do."""

from __future__ import annotations

import typer

from mesh.cli.checks.data_files import check_data_directory, check_weights
from mesh.cli.checks.finding import Finding, Level, fail, ok, worst
from mesh.cli.checks.host import check_host, check_namespaces
from mesh.cli.checks.images import check_images
from mesh.cli.checks.running_mesh import check_running
from mesh.cli.exit_codes import ExitCode
from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.session import Session
from mesh.local_model.settings import LocalModelSettings
from mesh.supervisor.adapters.tcp_ports import require_free
from mesh.supervisor.control import running_mesh
from mesh.supervisor.domain.port_plan import ports_from_base
from mesh.supervisor.settings import load_settings
from shared.errors import PreconditionFailed

app = typer.Typer(add_completion=False)


@app.command()
def doctor(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Check the machine, data directory, weights, ports, sandbox and mesh. Exit code 1 when a check fails."""

    async def work(session: Session, output: Output) -> ExitCode:
        findings = await _examine(session)
        _show(findings, output)
        return ExitCode.FAILED if worst(findings) is Level.FAIL else ExitCode.OK

    invoke(work, data, as_json=as_json)


async def _examine(session: Session) -> list[Finding]:
    layout = session.settings.layout
    findings = [
        *check_host(layout.root),
        *check_data_directory(layout),
        *check_weights(LocalModelSettings(key_file=layout.local_model_key)),
    ]
    try:
        mesh = running_mesh(layout)
    except PreconditionFailed as error:
        return [*findings, fail("mesh", error.message, "Then run `nexus doctor` again.")]
    if mesh is None:
        findings.append(ok("mesh", "not running; start it with `nexus up`"))
        return [*findings, _check_ports(), check_namespaces(), *check_images()]
    findings.append(ok("mesh", f"{mesh.phase}, supervisor {mesh.supervisor_pid}"))
    return [*findings, *await check_running(session, mesh)]


def _check_ports() -> Finding:
    settings = load_settings()
    base = settings.port_base
    if base == 0:
        return ok("ports", "any free ones")
    try:
        require_free(ports_from_base(base, settings.workers).wanted(settings.placed))
    except PreconditionFailed as error:
        return fail("ports", error.message, "Start with `nexus up --port-base 0`, or free the port.")
    return ok("ports", f"free from {base} on")


def _show(findings: list[Finding], output: Output) -> None:
    if output.as_json:
        checks = [{"check": f.check, "level": f.level, "detail": f.detail, "remedy": f.remedy} for f in findings]
        output.json_value({"level": worst(findings), "checks": checks})
        return
    output.table(("check", "level", "found"), [(f.check, f.level, f.detail) for f in findings], "")
    for finding in findings:
        if finding.remedy and finding.level is not Level.OK:
            style = "red" if finding.level is Level.FAIL else "yellow"
            output.note(f"{finding.check}: {finding.remedy}", style)
