"""Configuration files on a real disk: taken whole, refused whole, never half."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from provider_router.adapters.yaml_file.file_set import FileSet
from provider_router.adapters.yaml_file.source_file import SourceFile
from provider_router.adapters.yaml_file.watched_files import InForce, WatchedFiles


class Set:
    """A set of files that yields the data of each, and counts how often it was read."""

    def __init__(self, folder: Path, *patterns: str, required: tuple[str, ...] = (), poll_s: float = 0.01) -> None:
        self.folder = folder
        self.reads = 0
        self.breaks = False
        self.files = WatchedFiles(FileSet(folder, patterns, required), self._read, {}, poll_s=poll_s)

    def _read(self, sources: Mapping[str, SourceFile]) -> dict[str, object]:
        self.reads += 1
        if self.breaks:
            raise RuntimeError("this is a mistake of the program")
        for source in sources.values():
            with source.blamed():
                if isinstance(source.located.data, dict) and "bad" in source.located.data:
                    raise source.located.wrong(("bad",), "is not wanted")
        return {name: source.located.data for name, source in sources.items()}

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    async def looked(self) -> InForce:
        await self.files.load()
        return self.files.current()


async def test_files_are_taken_when_they_change_come_and_go(tmp_path: Path) -> None:
    files = Set(tmp_path, "one.yaml", "more/*.yaml")
    assert (await files.looked()).value == {}
    files.write("one.yaml", "1")
    assert (await files.looked()).value == {"one.yaml": 1}
    assert files.files.current().digest == hashlib.sha256(b"1").hexdigest()
    files.write("more/b.yaml", "2")
    files.write("more/a.yaml", "3")
    taken = await files.looked()
    assert list(taken.value.items()) == [("more/a.yaml", 3), ("more/b.yaml", 2), ("one.yaml", 1)]
    before = taken.digest
    files.write("more/b.yaml", "4")
    taken = await files.looked()
    assert (taken.value["more/b.yaml"], taken.error) == (4, "")
    assert taken.digest != before


async def test_a_file_that_went_is_missed_at_the_second_look(tmp_path: Path) -> None:
    files = Set(tmp_path, "*.yaml")
    files.write("a.yaml", "1")
    files.write("b.yaml", "2")
    await files.looked()
    content = (tmp_path / "a.yaml").read_text()
    (tmp_path / "a.yaml").unlink()
    assert "a.yaml" in (await files.looked()).value
    (tmp_path / "a.yaml").write_text(content)
    assert "a.yaml" in (await files.looked()).value
    (tmp_path / "a.yaml").unlink()
    assert "a.yaml" in (await files.looked()).value
    assert (await files.looked()).value == {"b.yaml": 2}


async def test_one_wrong_file_keeps_the_whole_set_from_being_taken(tmp_path: Path) -> None:
    files = Set(tmp_path, "*.yaml")
    files.write("a.yaml", "1")
    files.write("b.yaml", "2")
    good = await files.looked()
    files.write("a.yaml", "5")
    files.write("b.yaml", "x: 1\nbad: 1")
    refused = await files.looked()
    assert (refused.value, refused.digest) == (good.value, good.digest)
    assert refused.error == "b.yaml line 2: bad: is not wanted"
    assert await files.looked() is refused
    files.write("b.yaml", "2")
    taken = await files.looked()
    assert (taken.value, taken.error) == ({"a.yaml": 5, "b.yaml": 2}, "")


async def test_what_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    files = Set(tmp_path, "*.yaml")
    files.write("a.yaml", "1")
    files.write("b.yaml", "[1, 2]")
    first = await files.looked()
    os.utime(tmp_path / "a.yaml", ns=(1, 1))
    assert await files.looked() is first
    assert files.reads == 1
    files.write("a.yaml", "2")
    # Not parsed again: the very object of before.
    assert (await files.looked()).value["b.yaml"] is first.value["b.yaml"]


async def test_a_change_within_the_clock_s_grain_is_seen(tmp_path: Path) -> None:
    files = Set(tmp_path, "a.yaml")
    files.write("a.yaml", "1")
    status = (tmp_path / "a.yaml").stat()
    assert (await files.looked()).value == {"a.yaml": 1}
    files.write("a.yaml", "2")
    os.utime(tmp_path / "a.yaml", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (await files.looked()).value == {"a.yaml": 2}


async def test_a_required_file_must_be_there(tmp_path: Path) -> None:
    files = Set(tmp_path, required=("a.yaml",))
    assert (await files.looked()).error == "a.yaml cannot be read: No such file or directory"
    files.write("a.yaml", "1")
    assert (await files.looked()) == InForce({"a.yaml": 1}, hashlib.sha256(b"1").hexdigest())
    (tmp_path / "a.yaml").unlink()
    missing = await files.looked()
    assert (missing.value, bool(missing.error)) == ({"a.yaml": 1}, True)
    files.write("a.yaml", "1")
    assert not (await files.looked()).error


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"x" * (1024 * 1024 + 1), "a.yaml is larger than 1048576 bytes"),
        (b"a: [", "a.yaml line 1: did not find expected"),
        (b"a: 1\nb: [\n", "a.yaml line 2: did not find expected"),
        (b"\xff", "a.yaml line 1: is not UTF-8"),
    ],
)
async def test_what_cannot_be_read_is_refused_by_its_name(tmp_path: Path, content: bytes, error: str) -> None:
    files = Set(tmp_path, "a.yaml")
    (tmp_path / "a.yaml").write_bytes(content)
    assert (await files.looked()).error.startswith(error)


async def test_hidden_files_and_folders_are_no_files_of_the_set(tmp_path: Path) -> None:
    files = Set(tmp_path, "*.yaml", "more/*.yaml")
    files.write(".a.yaml", "1")
    files.write("more/.b.yaml", "1")
    (tmp_path / "folder.yaml").mkdir()
    assert (await files.looked()).value == {}


async def test_a_folder_behind_a_link_that_is_switched_is_seen(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.yaml").write_text(name)
    link = tmp_path / "current"
    link.symlink_to("one")
    files = Set(link, "a.yaml")
    assert (await files.looked()).value == {"a.yaml": "one"}
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").replace(link)
    assert (await files.looked()).value == {"a.yaml": "two"}


async def test_watching_takes_a_change_within_the_interval(tmp_path: Path) -> None:
    files = Set(tmp_path, "a.yaml")
    watching = asyncio.create_task(files.files.watch())
    files.write("a.yaml", "1")
    async with asyncio.timeout(2):
        while not files.files.current().value:
            await asyncio.sleep(0.005)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching


async def test_what_could_not_be_taken_because_of_a_mistake_of_ours_is_taken_at_the_next_look(tmp_path: Path) -> None:
    files = Set(tmp_path, "*.yaml")
    files.write("a.yaml", "1")
    os.utime(tmp_path / "a.yaml", ns=(1, 1))
    files.breaks = True
    for _ in range(2):
        with pytest.raises(RuntimeError):
            await files.looked()
    files.breaks = False
    assert (await files.looked()).value == {"a.yaml": 1}


async def test_one_file_that_cannot_be_read_is_named_and_looked_at_again(tmp_path: Path) -> None:
    files = Set(tmp_path, "*.yaml")
    files.write("a.yaml", "1")
    loop = tmp_path / "b.yaml"
    loop.symlink_to(loop)
    refused = await files.looked()
    [problem] = refused.problems
    assert (problem.file, problem.line) == ("b.yaml", 0)
    assert problem.message.startswith("cannot be read: ")
    assert str(tmp_path) not in str(problem)
    assert await files.looked() is refused
    loop.unlink()
    files.write("b.yaml", "2")
    taken = await files.looked()
    assert (taken.value, taken.problems) == ({"a.yaml": 1, "b.yaml": 2}, ())
