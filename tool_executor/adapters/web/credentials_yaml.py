"""Reads the file of credentials: a list of `{host, headers, organisations}` in YAML, readable by its owner alone."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from shared.errors import PreconditionFailed
from tool_executor.domain.host_pattern import host_patterns
from tool_executor.domain.http_credential import HttpCredential

_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,100}$")]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str
    headers: dict[_Name, SecretStr] = Field(min_length=1, max_length=8)
    organisations: list[str] = []


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    credentials: list[_Entry]


def load_credentials(file: Path) -> tuple[HttpCredential, ...]:
    """Return the credentials in `file`.

    Raises:
        PreconditionFailed: HTTP_CREDENTIALS_INVALID when it is missing, wrong, or readable by others; tells no secret.
    """
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise _invalid("others may read it; set its mode to 0600")
        document = _Document.model_validate(yaml.safe_load(file.read_text("utf-8")))
        return tuple(_credential(entry) for entry in document.credentials)
    except ValidationError as error:
        places = {".".join(map(str, each["loc"])) for each in error.errors(include_input=False, include_url=False)}
        raise _invalid(f"look at {', '.join(sorted(places))}") from None
    except (OSError, UnicodeDecodeError):
        raise _invalid("it cannot be read") from None
    except yaml.YAMLError:
        # Its message quotes the file.
        raise _invalid("it is no YAML") from None
    except ValueError as error:
        raise _invalid(str(error)) from None


def _credential(entry: _Entry) -> HttpCredential:
    (pattern,) = host_patterns([entry.host])
    headers = {name: value.get_secret_value().strip() for name, value in entry.headers.items()}
    if pattern.below:
        raise ValueError(f"{entry.host!r} stands for many hosts; a credential is for one")
    if not all(value.isascii() and value.isprintable() and value for value in headers.values()):
        raise ValueError(f"a header for {entry.host!r} is empty, or has characters that no header may have")
    return HttpCredential(pattern, headers, frozenset(entry.organisations))


def _invalid(why: str) -> PreconditionFailed:
    return PreconditionFailed("HTTP_CREDENTIALS_INVALID", f"The file of HTTP credentials cannot be used: {why}.")
