"""Generates `protos/gen` from the contracts, and images of them that `buf` can lint and compare.

Run with `make gen`. The generated code is checked in; CI generates again and fails on a difference.

The contracts import two foreign ones: `google/api/annotations.proto`, whose source is in the
`googleapis-common-protos` package, and `buf/validate/validate.proto`, of which the `protovalidate` package has only
the descriptor. Both are taken from the installed packages, so no foreign contract is copied into this repository.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROTOS = Path(__file__).resolve().parent
GEN = PROTOS / "gen"
_IMPORT = re.compile(r"^(from|import) (nexus|agent|buf)\b", re.MULTILINE)


def _validate_descriptor(target: Path) -> None:
    """Write the descriptor set of `buf/validate/validate.proto` and of what it imports to `target`."""
    from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, field_mask_pb2, timestamp_pb2
    from protovalidate._gen.buf.validate import validate_pb

    files = descriptor_pb2.FileDescriptorSet()
    pool = descriptor_pool.Default()
    for module in (descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2):
        pool.FindFileByName(module.DESCRIPTOR.name).CopyToProto(files.file.add())
    files.file.add().ParseFromString(validate_pb._DESC.proto.to_binary())  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    target.write_bytes(files.SerializeToString())


def _include_dir() -> str:
    """Return the folder that holds `google/api/annotations.proto`."""
    spec = importlib.util.find_spec("google.api")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("googleapis-common-protos is not installed: run `make setup`")
    return str(Path(next(iter(spec.submodule_search_locations))).parents[1])


def _protoc(protos: Path, arguments: list[str]) -> None:
    """Run protoc over all contracts below `protos`, with the plugins of this environment on the path."""
    tools = importlib.util.find_spec("grpc_tools")
    if tools is None or tools.origin is None:
        sys.exit("grpcio-tools is not installed: run `make setup`")
    well_known = Path(tools.origin).parent / "_proto"
    contracts = sorted(str(p.relative_to(protos)) for p in protos.rglob("*.proto"))
    includes = [f"-I{folder}" for folder in (protos, _include_dir(), well_known)]
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    with tempfile.NamedTemporaryFile(suffix=".binpb") as descriptors:
        _validate_descriptor(Path(descriptors.name))
        command = [sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={descriptors.name}", *includes]
        subprocess.run([*command, *arguments, *contracts], check=True, cwd=protos, env={"PATH": path})  # noqa: S603


def write_image(protos: Path, target: Path) -> None:
    """Write the contracts below `protos` as one descriptor set with comments, which `buf` reads."""
    _protoc(protos, ["--include_imports", "--include_source_info", f"--descriptor_set_out={target}"])


def write_code(target: Path) -> None:
    """Write the generated code to the empty folder `target`, its imports below `protos.gen`."""
    outputs = (("python", ""), ("mypy", "quiet:"), ("grpc_python", ""), ("mypy_grpc", "quiet:"))
    flags = [f"--{name}_out={prefix}{target}" for name, prefix in outputs]
    _protoc(PROTOS, [*flags, "buf/validate/validate.proto"])
    for source in [*target.rglob("*.py"), *target.rglob("*.pyi")]:
        source.write_text(_IMPORT.sub(r"\1 protos.gen.\2", source.read_text()))
    for folder in [target, *(p for p in target.rglob("*") if p.is_dir())]:
        (folder / "__init__.py").touch()


def main() -> None:
    """Replace `protos/gen` by what the contracts generate now."""
    with tempfile.TemporaryDirectory(dir=PROTOS.parent) as folder:
        fresh = Path(folder) / "gen"
        fresh.mkdir()
        write_code(fresh)
        shutil.rmtree(GEN, ignore_errors=True)
        fresh.rename(GEN)


if __name__ == "__main__":
    main()
