"""The operator's files of providers and shipped contracts, as one set."""

from __future__ import annotations

from pathlib import Path

from provider_router.adapters.yaml_file.file_set import FileSet
from provider_router.adapters.yaml_file.provider_reader import ConfigurationReader, LocalAddresses
from provider_router.adapters.yaml_file.watched_files import WatchedFiles
from provider_router.domain.contracts.configuration import Configuration
from shared.clock import Clock

CATALOGUES = "contracts/*.yaml"
"""Where shipped contracts are, beside the providers file."""


def configuration_files(
    providers_file: Path, local: LocalAddresses, poll_s: float, clock: Clock | None = None
) -> WatchedFiles[Configuration]:
    """The providers file, without which nothing is in force, and the files of shipped contracts beside it.

    Args:
        providers_file: The first.
        local: Addresses of the local models.
        poll_s: Seconds between two looks.
        clock: For the time since when a file has a problem.
    """
    name = providers_file.name
    files = FileSet(providers_file.parent, (CATALOGUES,), required=(name,))
    return WatchedFiles(files, ConfigurationReader(name, local), Configuration(), poll_s=poll_s, clock=clock)
