"""Draws up how the sandboxes of a zygote look."""

from __future__ import annotations

from sandbox_service.adapters.launcher.layout import Blueprint
from sandbox_service.adapters.namespaces.host import HostSetup
from sandbox_service.ports.isolation_backend import SandboxSpec

_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/work", "LANG": "C.UTF-8"}


class Blueprints:
    """Puts together the host's interpreter, an image and what a sandbox was granted."""

    def __init__(self, host: HostSetup) -> None:
        self._host = host

    def of(self, spec: SandboxSpec, user_id: int) -> Blueprint:
        """Return the blueprint of a zygote for `spec` whose programs run as `user_id`."""
        host, image = self._host, spec.image
        layout = host.layout
        return Blueprint(
            is_root=host.is_root,
            user_id=user_id,
            binds=[
                *((str(path), str(path)) for path in layout.binds),
                *image.binds,
            ],
            granted_paths=[
                *((path, False) for path in spec.read_only_paths),
                *((path, True) for path in spec.writable_paths),
            ],
            links=[*layout.links],
            masks=[str(path) for path in layout.masks],
            workspace_bytes=host.workspace_bytes,
            workspace_files=host.workspace_files,
            memfd=host.counts_memory,
            environment={**_ENVIRONMENT, **image.environment},
            import_paths=[*image.import_paths],
            preload=[*image.preload],
        )
