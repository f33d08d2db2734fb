"""Settings of the local model process. The only file of this package that reads the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import AliasChoices, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class LocalModelSettings(BaseSettings):
    """Settings of the local model process, read from `NEXUS_LOCAL_MODEL_*`.

    Attributes:
        host: Loopback address to listen on.
        chat_port: Port of the chat model's server.
        embed_port: Port of the embedding model's server.
        key_file: File of mode 0600 whose content callers send as bearer token.
        weights_dir: Directory of `chat.gguf` and `embed.gguf`; NEXUS_WEIGHTS_DIR where not set.
        chat_weights: Another GGUF file for chat, in place of the one that ships.
        context_tokens: Context of one chat, 512 to 1048576. Memory grows with it, by 23 KB per token for the model
            that ships.
        parallel_chats: Chats at work at once, 1 to 64, each with a context of its own; more wait in line.
        threads: CPU threads per model, 1 to 256. One serves the small models that ship best: more wait for each
            other, badly so on a busy machine. Raise it for a larger model.
        log_verbosity: llama.cpp's: 0 nothing, 1 errors, 2 warnings, 3 information.
    """

    model_config = SettingsConfigDict(env_prefix="NEXUS_LOCAL_MODEL_", frozen=True, populate_by_name=True)

    host: str = Field(default="127.0.0.1", pattern=r"^(127\.\d+\.\d+\.\d+|::1)$")
    chat_port: int = Field(default=50061, ge=1, le=65535)
    embed_port: int = Field(default=50062, ge=1, le=65535)
    key_file: Path
    weights_dir: Path = Field(
        default=Path("~/.cache/nexus/weights"),
        validation_alias=AliasChoices("NEXUS_LOCAL_MODEL_WEIGHTS_DIR", "NEXUS_WEIGHTS_DIR"),
    )
    chat_weights: Path | None = None
    context_tokens: int = Field(default=4096, ge=512, le=1_048_576)
    parallel_chats: int = Field(default=1, ge=1, le=64)
    threads: int = Field(default=1, ge=1, le=256)
    log_verbosity: int = Field(default=1, ge=0, le=3)

    @field_validator("key_file", "weights_dir", "chat_weights")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value is not None else None

    @model_validator(mode="after")
    def _distinct_ports(self) -> Self:
        if self.chat_port == self.embed_port:
            raise ValueError("chat_port and embed_port must differ")
        return self

    @property
    def chat_file(self) -> Path:
        """The chat model's GGUF file."""
        return self.chat_weights or self.weights_dir / "chat.gguf"

    @property
    def embed_file(self) -> Path:
        """The embedding model's GGUF file."""
        return self.weights_dir / "embed.gguf"
