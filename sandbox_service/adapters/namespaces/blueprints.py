"""Draws up how the sandboxes of a zygote look."""

from __future__ import annotations

from sandbox_service.adapters.launcher.layout import Blueprint
from sandbox_service.adapters.namespaces.granted_paths import require_grantable
from sandbox_service.adapters.namespaces.host import HostSetup
from sandbox_service.adapters.namespaces.host_programs import HostPrograms
from sandbox_service.adapters.namespaces.user_ids import group_of
from sandbox_service.ports.isolation_backend import SandboxSpec

_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/work", "LANG": "C.UTF-8"}


class Blueprints:
    """Puts together the host's interpreter, an image and what a sandbox was granted."""

    def __init__(self, host: HostSetup) -> None:
        self._host = host

    def of(self, spec: SandboxSpec, user_id: int) -> Blueprint:
        """Return the blueprint of a zygote for `spec` whose programs run as `user_id`; looks at files of the host.

        Raises:
            PreconditionFailed: PATH_REFUSED, PROGRAM_NOT_FOUND.
        """
        host, image = self._host, spec.image
        layout = host.layout
        granted = dict.fromkeys(spec.read_only_paths, False) | dict.fromkeys(spec.writable_paths, True)
        require_grantable(spec)
        group_id = group_of(spec.writable_paths[0]) if host.is_root and spec.writable_paths else user_id
        found = HostPrograms(spec, layout.binds)
        if spec.program:
            found.find(spec.program)
        return Blueprint(
            is_root=host.is_root,
            user_id=user_id,
            group_id=group_id,
            binds=[
                *((str(path), str(path)) for path in layout.binds),
                *image.binds,
                *((path, path) for path in found.files),
            ],
            granted_paths=sorted(granted.items()),  # what lies in another one comes after it
            links=[*layout.links, *found.links],
            masks=[str(path) for path in layout.masks],
            workspace_bytes=host.workspace_bytes,
            workspace_files=host.workspace_files,
            memfd=host.counts_memory,
            environment={**_ENVIRONMENT, **image.environment},
            import_paths=[*image.import_paths],
            preload=[*image.preload],
        )
