"""Runs the sandbox where the host refuses namespaces, as many containers do, and prints what it says, as JSON.

The refusal is real: a system-call filter on this process answers the call that makes namespaces with an error, for it
and all that it starts.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).parents[1]), str(Path(__file__).parent)]

import sandbox_rig  # noqa: E402
from sandbox_fakes import FixedPolicy  # noqa: E402

from protos.gen.nexus.sandbox.v1 import sandbox_pb2, sandbox_pb2_grpc  # noqa: E402
from sandbox_service.adapters.image_store_folder import FolderImageStore  # noqa: E402
from sandbox_service.adapters.isolation_backend_namespaces import NamespaceBackend  # noqa: E402
from sandbox_service.adapters.launcher import kernel  # noqa: E402
from sandbox_service.main import Outside, build_over, namespace_options  # noqa: E402
from sandbox_service.settings import Settings  # noqa: E402
from shared.client import translated_errors  # noqa: E402
from shared.clock import SystemClock  # noqa: E402
from shared.errors import PreconditionFailed  # noqa: E402
from shared.ids import new_id  # noqa: E402
from shared.server import Dependencies  # noqa: E402
from shared.testing.harness import serving  # noqa: E402

_CALLS = {"unshare": 272, "clone": 56}
_NEW_NAMESPACES = 0x7E020000


def refuse_namespaces(call: str, number: int) -> None:
    """Answer `call`, where it asks for namespaces, with the errno `number`."""

    def instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return code.to_bytes(2, "little") + bytes((if_true, if_false)) + value.to_bytes(4, "little")

    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.load_seccomp(
        instruction(0x20, 0)
        + instruction(0x15, _CALLS[call], 0, 4)
        + instruction(0x20, 16)
        + instruction(0x54, _NEW_NAMESPACES)
        + instruction(0x15, 0, 1, 0)
        + instruction(0x06, 0x00050000 | number)
        + instruction(0x06, 0x7FFF0000)
    )


async def main() -> None:
    settings, deps = Settings(), Dependencies(SystemClock(), new_id, sandbox_rig._no_channel)
    backend = NamespaceBackend(namespace_options(settings), deps.clock, deps.new_id)
    images = FolderImageStore(settings.images_dir.expanduser())
    service = build_over(Outside(backend, images, FixedPolicy()), settings, deps)
    async with serving(service) as served:
        stub = sandbox_pb2_grpc.SandboxServiceStub(served.channel)
        report = await stub.GetIsolation(sandbox_pb2.GetIsolationRequest())
        said = {"available": report.available, "remedy": report.remedy, "layers": [x.name for x in report.layers]}
        try:
            async with translated_errors("sandbox"):
                async for _ in stub.Execute(sandbox_pb2.ExecuteRequest(language=1, code="print(1)"), timeout=10):
                    said["ran"] = True
        except PreconditionFailed as error:
            said |= {"reason": error.reason, "message": error.message}
    sys.stdout.write("RESULT " + json.dumps(said) + "\n")


if __name__ == "__main__":
    refuse_namespaces(sys.argv[1], int(sys.argv[2]))
    asyncio.run(main())
