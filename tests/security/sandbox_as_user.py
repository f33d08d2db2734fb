"""Runs the sandbox as an ordinary user and prints what it does, as JSON. Started by root, as a process of its own.

The interpreter and the checkout may lie in folders that only root may enter: they are shown under open folders in a
mount namespace of this process's own, at the same paths.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(Path(__file__).parents[1]), str(Path(__file__).parent)]
USER_ID = 54321

import sandbox_file_abuse  # noqa: E402
from sandbox_abuses import ABUSES, Abuse  # noqa: E402
from sandbox_host import SECRET_TEXT, Canary, canary_of, host_state  # noqa: E402
from sandbox_rig import Sandbox, children, real_sandbox, until  # noqa: E402

from protos.gen.nexus.sandbox.v1 import sandbox_pb2  # noqa: E402
from sandbox_service.adapters.launcher import kernel  # noqa: E402
from sandbox_service.settings import Settings  # noqa: E402


def closed_folder(path: Path) -> Path | None:
    """Return the outermost folder on the way to `path` that others may not enter."""
    for folder in [*reversed(path.parents), path]:
        if folder.stat().st_mode & 0o005 != 0o005:
            return folder
    return None


def make_reachable(paths: list[Path]) -> None:
    """Let others reach `paths`, in this mount namespace alone."""
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.make_mounts_private()
    closed: dict[Path, list[tuple[Path, int]]] = {}
    for path in paths:
        folder = closed_folder(path)
        if folder is not None:
            closed.setdefault(folder, []).append((path, kernel.open_tree(str(path))))
    for folder, needed in closed.items():
        kernel.mount("open", str(folder), "tmpfs", 0, "size=1m,mode=755")
        for path, tree in needed:
            path.mkdir(parents=True, exist_ok=True, mode=0o755)
            kernel.attach_tree(tree, str(path))


def become_ordinary() -> None:
    os.setgroups([])
    os.setresgid(USER_ID, USER_ID, USER_ID)
    os.setresuid(USER_ID, USER_ID, USER_ID)
    # As in a process of that user from the start: its own files of /proc are its own.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)


async def outcome(abuse: Abuse, sandbox: Sandbox, canary: Canary, secret: Path) -> str:
    """Return what went wrong; nothing, when the abuse was contained, the neighbour sings and the host is as it was."""
    before = host_state(secret)
    try:
        await abuse(sandbox)
        await canary.sings()
    except Exception:  # noqa: BLE001  told to the test
        return traceback.format_exc()[-2000:]
    return "" if host_state(secret) == before else "the host has changed"


async def facts(sandbox: Sandbox) -> dict[str, object]:
    """Return what is told apart from root: the layers, and how memory is held without a control group."""
    report = await sandbox.stub.GetIsolation(sandbox_pb2.GetIsolationRequest())
    code = (
        "import os\nprint(os.getresuid(), os.path.exists('/etc/shadow'), os.listdir('/work'))\n"
        "print([l for l in open('/proc/self/status') if l.startswith(('CapEff', 'Seccomp:'))])"
    )
    pool = "from multiprocessing import Pool\nif __name__ == '__main__': print(Pool(2).map(abs, [-1]))"
    burn = await sandbox.run("import time\nwhile time.process_time() < .2: pass\nb = b'x' * 30_000_000; time.sleep(.1)")
    return {
        "layers": {layer.name: [layer.enforced, layer.detail] for layer in report.layers},
        "identity": (await sandbox.run(code)).text,
        "pool": (await sandbox.run(pool)).text,
        "burn": [burn.end.cpu_time.ToMilliseconds(), burn.end.peak_memory_bytes],
    }


async def main() -> None:
    sandbox_file_abuse.TRIES = 350  # the same code as for root, which is put to thousands
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder, "secret")
        secret.write_text(SECRET_TEXT)
        async with real_sandbox() as sandbox:
            said = await facts(sandbox)
            async with canary_of(sandbox) as canary:
                said["abuses"] = {name: await outcome(abuse, sandbox, canary, secret) for name, abuse in ABUSES.items()}
            await until(lambda: not children())
    sys.stdout.write("RESULT " + json.dumps(said) + "\n")


if __name__ == "__main__":
    os.umask(0o022)
    make_reachable([REPOSITORY, Path(sys.base_prefix), Settings().images_dir.expanduser()])
    become_ordinary()
    os.umask(0o077)
    asyncio.run(main())
