"""The catalog in a YAML file that is read again whenever it changes."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from pathlib import Path

from provider_router.adapters.yaml_file.located_yaml import RefusedFileError
from provider_router.adapters.yaml_file.reader import LocalAddresses, read_catalog
from provider_router.domain.catalog import Catalog, CatalogSnapshot
from shared.telemetry.logging import get_logger

_FILE_CAP_BYTES = 1024 * 1024
_log = get_logger(__name__)


class YamlProviderCatalog:
    """Implements `ProviderCatalog`.

    A file is taken whole or refused whole. While the newest one is wrong or gone, the one before stays in force and
    the snapshot says why.

    Args:
        path: The file.
        local: Addresses of the local models.
        poll_s: Seconds between two looks at the file.
    """

    def __init__(self, path: Path, local: LocalAddresses, poll_s: float) -> None:
        self._path = path
        self._local = local
        self._poll_s = poll_s
        self._snapshot = CatalogSnapshot(Catalog())
        # What was looked at last, so that an unchanged file is not read again.
        self._stamp: tuple[int, ...] = ()
        self._digest = ""

    def current(self) -> CatalogSnapshot:
        """The snapshot in force."""
        return self._snapshot

    async def load(self) -> None:
        """Looks at the file once and takes it if it changed. Never raises for a wrong file."""
        before = self._snapshot
        self._snapshot = await asyncio.to_thread(self._looked_at, before)
        if self._snapshot is before:
            return
        if self._snapshot.error:
            _log.warning("providers_file_refused", error=self._snapshot.error)
        else:
            _log.info("providers_file_taken", version=self._snapshot.version)

    async def watch(self) -> None:
        """Looks at the file again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._poll_s)
            await self.load()

    def _looked_at(self, before: CatalogSnapshot) -> CatalogSnapshot:
        """The snapshot after a look at the file; `before` itself when nothing changed. Blocks."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp == self._stamp:
                return before
            content = self._content()
        except OSError as error:
            self._stamp, self._digest = (), ""
            return _refusal(before, f"{self._path.name} cannot be read: {error.strerror}")
        self._stamp = stamp
        digest = hashlib.sha256(content).hexdigest()
        if digest == self._digest:
            return before
        self._digest = digest
        try:
            return CatalogSnapshot(self._read(content), digest)
        except RefusedFileError as error:
            return _refusal(before, f"{self._path.name} {error}")

    def _content(self) -> bytes:
        with self._path.open("rb") as file:
            return file.read(_FILE_CAP_BYTES + 1)

    def _read(self, content: bytes) -> Catalog:
        if len(content) > _FILE_CAP_BYTES:
            raise RefusedFileError(1, f"is larger than {_FILE_CAP_BYTES} bytes")
        return read_catalog(content, self._local)


def _refusal(before: CatalogSnapshot, error: str) -> CatalogSnapshot:
    return before if before.error == error else replace(before, error=error)
