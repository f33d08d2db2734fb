"""Where things are in a data directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# sockaddr_un holds 108 bytes with the final zero; gRPC needs a few for itself. Source: unix(7).
LONGEST_SOCKET_PATH_BYTES = 100
_LONGEST_SOCKET_NAME = "orchestrator.sock"


@dataclass(frozen=True, slots=True)
class DataLayout:
    """Paths of one data directory, whose `root` is absolute."""

    root: Path

    @property
    def secrets(self) -> Path:
        """Folder of the keys, 0700."""
        return self.root / "secrets"

    @property
    def run(self) -> Path:
        """Folder of sockets, lock and state file."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """Folder of the logs."""
        return self.root / "logs"

    @property
    def folders(self) -> tuple[Path, ...]:
        """All folders, the root first."""
        return (self.root, self.secrets, self.root / "db", self.run, self.logs)

    @property
    def mesh_key(self) -> Path:
        """Key that signs mesh tokens."""
        return self.secrets / "mesh.key"

    @property
    def local_model_key(self) -> Path:
        """Key of the local model's servers."""
        return self.secrets / "local-model.key"

    @property
    def owner_key(self) -> Path:
        """API key of the owner, written by the settings service at its first start."""
        return self.secrets / "owner.key"

    @property
    def lock(self) -> Path:
        """File whose lock the supervisor holds."""
        return self.run / "supervisor.lock"

    @property
    def state(self) -> Path:
        """State file of the mesh."""
        return self.run / "mesh.json"

    @property
    def supervisor_log(self) -> Path:
        """Log of a detached supervisor."""
        return self.logs / "supervisor.log"

    @property
    def sockets_fit(self) -> bool:
        """Whether sockets in `run` have paths that the kernel takes."""
        return len(str(self.run / _LONGEST_SOCKET_NAME).encode()) <= LONGEST_SOCKET_PATH_BYTES
