"""The program of docs/decisions.md, which shares nothing with the router, agrees with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from router_decision_fakes import decided_in, world_of
from router_decisions import NOW, decision_for

from provider_router.adapters.decision_log_sqlite import SqliteDecisionLog

PAGE = Path(__file__).resolve().parents[3] / "docs" / "decisions.md"
WORLD = world_of()


def checked(path: Path) -> tuple[int, str]:
    program = PAGE.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


async def test_the_documented_program_checks_chains(sqlite_log: SqliteDecisionLog, storage) -> None:
    for number in range(5):
        for org_id in ("org-a", "org-\u00fc"):
            await sqlite_log.append(f"d-{number}", decided_in(WORLD, decision_for(org_id)), WORLD)
    await sqlite_log.prune(older_than=NOW, keep=3, limit=100)
    ends = [(await sqlite_log.listed(org_id, limit=1))[0] for org_id in ("org-a", "org-\u00fc")]
    assert checked(storage.path) == (0, "".join(f"{each.org_id} 5 {each.record_hash}\n" for each in ends))

    await storage.writer.run(
        lambda connection: (
            connection.execute(
                "UPDATE decisions SET payload = CAST(replace(payload, 'balanced', 'Balanced') AS BLOB) "
                "WHERE org_id = 'org-a' AND sequence = 4"
            ).rowcount
        )
    )
    assert checked(storage.path) == (1, "broken at org-a 4\n")
