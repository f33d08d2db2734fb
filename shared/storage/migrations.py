"""Brings a database file to the newest version with Alembic.

A service keeps its migrations in a package with a `versions` folder, each file an ordinary Alembic revision. There is
one environment for all of them, this file's, so no service has an `env.py` or an `alembic.ini`.
"""

from __future__ import annotations

import fcntl
import importlib
import sqlite3
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path


def upgrade(path: Path, migrations_package: str) -> None:
    """Upgrade the SQLite file at `path` to the newest revision of `migrations_package`. Blocking; idempotent.

    Each revision runs in one transaction with the note that it ran, so a killed upgrade leaves the version before.
    Processes that open one file at the same moment upgrade it one after the other.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    module = importlib.import_module(migrations_package)
    versions = Path(str(module.__file__)).parent / "versions"
    if _current(path) == _newest(versions):
        return
    with _alone(path):
        if _current(path) != _newest(versions):
            _run(path, versions)


@contextmanager
def _alone(path: Path) -> Generator[None]:
    """Hold a lock beside `path` during the block; the kernel lets go of it when the process ends."""
    with ExitStack() as stack:
        # Where no file can be made the database cannot be used either, and says so itself.
        with suppress(OSError):
            lock = stack.enter_context(path.with_name(f"{path.name}.upgrading").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(path: Path, versions: Path) -> None:
    # Alembic costs half a second to import; a database that is up to date does not need it.
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine

    config = Config()
    config.set_main_option("script_location", str(versions.parent))
    script = ScriptDirectory.from_config(config)
    engine = create_engine(f"sqlite:///{path}")
    try:
        with (
            engine.connect() as connection,
            EnvironmentContext(
                config,
                script,
                fn=lambda revision, _context: script._upgrade_revs("head", revision),  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType, reportUnknownLambdaType, reportUnknownArgumentType]
            ) as environment,
        ):
            environment.configure(connection=connection, transaction_per_migration=True)
            with environment.begin_transaction():
                environment.run_migrations()
            connection.commit()
    finally:
        engine.dispose()


def _current(path: Path) -> str | None:
    """Return the revision that the file is at, or None for a new file."""
    if not path.exists():
        return None
    connection = sqlite3.connect(path)
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return None
    finally:
        connection.close()
    return row[0] if row else None


def _newest(versions: Path) -> str:
    """Return the newest revision: files are named `<revision>_<what>.py` and revisions count up from 0001."""
    return max(file.name.partition("_")[0] for file in versions.glob("[0-9]*_*.py"))
