"""Contracts in files: read to be registered, written to be changed."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from protos.gen.nexus.router.v1 import contract_pb2
from provider_router.adapters.yaml_file.contract_reader import read_contract
from provider_router.adapters.yaml_file.contract_writer import contract_yaml
from provider_router.adapters.yaml_file.located_yaml import RefusedFileError
from provider_router.adapters.yaml_file.source_file import SourceFile
from provider_router.domain.contracts.field_names import path_of, written_path
from provider_router.servicer.convert_contract import contract_message, contract_of
from shared.errors import InvalidInput, NexusError

_LARGEST_FILE_BYTES = 1024 * 1024


@contextmanager
def contract_in(file: Path) -> Generator[contract_pb2.Contract]:
    """Yield the contract in `file`. What the router refuses in it within the block is told in the words of the file.

    Raises:
        InvalidInput: reason FILE_UNREADABLE, FILE_TOO_LARGE (over 1 MiB) or CONTRACT_INVALID, with the line.
    """
    source = SourceFile(str(file), _content(file))
    try:
        contract = contract_message(read_contract(source))
    except RefusedFileError as error:
        raise InvalidInput("CONTRACT_INVALID", f"{file} {error}") from error
    try:
        yield contract
    except NexusError as error:
        if error.reason != "CONTRACT_INVALID" or not error.violations:
            raise
        found = (source.located.wrong(written_path(path_of(each.field)), each.description) for each in error.violations)
        told = "; ".join(f"{file} {each}" for each in found)
        raise InvalidInput("CONTRACT_INVALID", f"{told}.", violations=error.violations) from error


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidInput("FILE_UNREADABLE", f"{file} cannot be read: {error.strerror}.") from error
    if len(content) > _LARGEST_FILE_BYTES:
        raise InvalidInput("FILE_TOO_LARGE", f"{file} is larger than 1 MiB.")
    return content


def contract_to_text(contract: contract_pb2.Contract) -> str:
    """Return the contract as a file that can be changed and sent back.

    Raises:
        InvalidInput: reason CONTRACT_INVALID, for one of a newer server that has something else in it.
    """
    return contract_yaml(contract_of(contract))
