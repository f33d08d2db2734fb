"""The sandbox's images: how set-up makes them, and what the service makes of what it finds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mesh.images.__main__ import main
from mesh.images.errors import ImagesError
from mesh.images.packages import install_packages
from sandbox_service.adapters.image_store_folder import FolderImageStore
from sandbox_service.adapters.images import preload_source
from sandbox_service.adapters.images.manifest import Manifest, digest_of, read_manifest
from sandbox_service.adapters.images.pointers import Pointer, write_pointer
from sandbox_service.domain.image import Image
from shared.errors import NotFound, PreconditionFailed

ROOT = Path(__file__).resolve().parents[2]
INTERPRETER = Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def set_up(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, object]:
    assert main(["--dir", str(folder), "--image", "base", "--json", *options]) == 0
    return json.loads(capsys.readouterr().out)["images"][0]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    assert main(["--dir", str(folder), "--image", "base"]) == 0
    return folder


@pytest.fixture
def images(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "images", symlinks=True)


def base_of(images: Path) -> Path:
    return images / FolderImageStore(images).find("base").digest.removeprefix("sha256:")


def trouble_of(images: Path) -> str:
    (base,) = [image for image in FolderImageStore(images).all() if image.name == "base"]
    assert base.is_available == (base.remedy == "")
    return base.remedy


def test_set_up_twice_does_nothing_the_second_time(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = set_up(images, capsys)
    assert found["created"] is False
    assert found["path"] == str(images / str(found["digest"]).removeprefix("sha256:"))


def test_the_programs_of_an_image_run_and_have_no_privileges(images: Path) -> None:
    programs = base_of(images) / "bin"
    for program in programs.iterdir():
        assert program.is_symlink() or program.stat().st_mode & 0o7777 == 0o555, program
    assert (programs / "python3").readlink() == INTERPRETER
    command = ["sh", "-c", "echo a b | awk '{print $2}'"]
    assert subprocess.check_output(command, env={"PATH": str(programs)}) == b"b\n"


def test_the_same_content_has_the_same_digest(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert set_up(tmp_path, capsys)["path"] == str(tmp_path / base_of(made).name)


def test_a_damaged_image_is_not_used_and_made_anew(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = FolderImageStore(images)
    program = base_of(images) / "bin" / "cat"
    program.unlink()
    assert "is damaged: 1 files are missing or too many, for example bin/cat. Run `make setup`" in trouble_of(images)
    with pytest.raises(PreconditionFailed, match="damaged") as refusal:
        store.find("base")
    assert refusal.value.reason == "IMAGE_NOT_SET_UP"
    assert set_up(images, capsys)["created"] is True
    assert store.find("base").binds == ((str(program.parent), "/image/bin"),)


def test_verify_finds_content_of_the_same_size(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = base_of(images) / "bin" / "cat"
    content = program.read_bytes()
    program.chmod(0o755)
    program.write_bytes(b"\0" * len(content))
    program.chmod(0o555)
    assert set_up(images, capsys)["created"] is False
    assert set_up(images, capsys, "--verify")["created"] is True
    assert program.read_bytes() == content


def test_a_changed_manifest_is_no_image(images: Path) -> None:
    manifest = base_of(images) / "image.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"ordinary", b"peculiar"))
    assert "image.json has another digest" in trouble_of(images)


def test_an_image_of_another_python_is_not_used(images: Path) -> None:
    encoded = Manifest("base", "", "cpython-27", (), {}).encoded()
    (images / digest_of(encoded)).mkdir()
    (images / digest_of(encoded) / "image.json").write_bytes(encoded)
    write_pointer(images, "base", Pointer(digest_of(encoded), "recipe"))
    assert "was made for another Python (cpython-27)" in trouble_of(images)


def test_a_pointer_cannot_lead_out_of_the_folder(images: Path) -> None:
    write_pointer(images, "base", Pointer("../elsewhere", "recipe"))
    assert "The image base is not set up." in trouble_of(images)


def test_images_are_found_by_name_and_digest_and_missing_ones_say_what_to_do(images: Path) -> None:
    store = FolderImageStore(images)
    base = store.find("")
    assert isinstance(base, Image)
    assert store.find(base.digest) is base
    assert [(image.name, image.is_available) for image in store.all()] == [("base", True), ("data", False)]
    with pytest.raises(PreconditionFailed, match=r"The image data is not set up\. Run `make setup`"):
        store.find("data")
    with pytest.raises(NotFound, match="base, data") as refusal:
        store.find("windows")
    assert refusal.value.reason == "IMAGE_UNKNOWN"


def test_an_image_with_packages_says_how_its_programs_find_them(images: Path) -> None:
    folder = base_of(images)
    plain = read_manifest(folder, folder.name)
    encoded = Manifest("data", "", plain.python, ("numpy==2.4.6",), plain.files).encoded()
    target = images / digest_of(encoded)
    folder.rename(target)
    (target / "image.json").write_bytes(encoded)
    write_pointer(images, "data", Pointer(target.name, "recipe"))
    data = FolderImageStore(images).find("data")
    assert [inside for _, inside in data.binds] == ["/image/bin", "/image/site", "/image/matplotlib"]
    assert (data.import_paths, data.preload, data.environment["MPLBACKEND"]) == (
        ("/image/site",),
        ("nexus_preload",),
        "agg",
    )


def test_packages_without_the_right_hash_are_not_installed(tmp_path: Path) -> None:
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    lock = tmp_path / "tiny.lock"
    lock.write_text(f"tiny @ {wheel.as_uri()} --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    with pytest.raises(ImagesError, match=r"(?i)hash mismatch"):
        install_packages(lock, ("tiny",), INTERPRETER, tmp_path / "image", 60)


def test_the_lock_pins_every_package_by_hash() -> None:
    lock = (ROOT / "config" / "sandbox" / "images" / "data.lock").read_text(encoding="utf-8")
    wanted = [one for one in lock.replace("\\\n", " ").splitlines() if one and not one.startswith("#")]
    assert len(wanted) > 10
    assert [one for one in wanted if "==" not in one or "--hash=sha256:" not in one] == []


def test_a_zygote_is_told_that_it_can_write_only_while_it_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    access = os.access
    monkeypatch.setenv("MPLCONFIGDIR", "/tmp/matplotlib")
    with pytest.raises(ModuleNotFoundError):
        preload_source.import_all(("json", "no_such_module"))
    assert os.access is access
    assert os.environ["MPLCONFIGDIR"] == "/tmp/matplotlib"
