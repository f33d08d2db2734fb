"""The book of rules over real files that change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from router_decision_fakes import FakeRuleBook

from provider_router.adapters.rule_book_yaml import YamlRuleBook, rule_files
from provider_router.adapters.yaml_file.rules_reader import Rules
from provider_router.adapters.yaml_file.watched_files import WatchedFiles
from provider_router.domain.rulebook.tiers import BUILT_IN
from shared.testing.fakes import FakeClock

DEEP = "version: 1\ndefaults: {tier: deep}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "routing" / "organisations").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def files(folder: Path) -> WatchedFiles[Rules]:
    return rule_files(folder, poll_s=0.01)


@pytest.fixture
async def watched(files: WatchedFiles[Rules]) -> AsyncIterator[YamlRuleBook]:
    await files.load()
    task = asyncio.create_task(files.watch())
    yield YamlRuleBook(files)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def becomes(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


def shown(book: YamlRuleBook, org_id: str = "") -> list[str]:
    return [str(problem) for problem in book.problems(org_id)]


def test_the_fake_gives_the_same_object_each_time() -> None:
    book = FakeRuleBook()
    assert book.of("acme") is book.of("acme")
    assert not book.problems()


def test_until_the_files_were_looked_at_everything_is_forbidden(files: WatchedFiles[Rules]) -> None:
    assert "forbid (principal, action, resource);" in YamlRuleBook(files).of("acme").platform_policies


async def test_without_files_the_built_in_rules_are_in_force(watched: YamlRuleBook) -> None:
    assert watched.of("acme").tiers == BUILT_IN
    assert not watched.of("acme").has_policies
    assert not watched.problems()


async def test_while_files_were_never_good_everything_is_forbidden(folder: Path, files: WatchedFiles[Rules]) -> None:
    (folder / "routing" / "platform.yaml").write_text("version: 1\npolicies: permit\n")
    await files.load()
    book = YamlRuleBook(files)
    [problem] = book.problems()
    assert (problem.file, problem.line) == ("routing/platform.yaml", 2)
    assert problem.message.startswith("policies: ")
    rules = book.of("acme")
    assert "forbid (principal, action, resource);" in rules.platform_policies
    assert rules.closed_by == str(problem)


async def test_a_change_is_taken_and_a_wrong_one_is_not(folder: Path, watched: YamlRuleBook) -> None:
    platform = folder / "routing" / "platform.yaml"
    platform.write_text(DEEP)
    await becomes(lambda: watched.of("acme").default_tier == "deep")
    before = watched.of("acme")
    assert watched.of("acme") is before

    platform.write_text("version: 1\ndefaults: {tier: none}\n")
    await becomes(lambda: bool(watched.problems()))
    assert shown(watched) == ["routing/platform.yaml line 2: defaults.tier: there is no tier 'none'"]
    assert watched.of("acme") is before

    platform.write_text("version: 1\ndefaults: {tier: fast}\n")
    await becomes(lambda: not watched.problems())
    assert watched.of("acme").default_tier == "fast"


async def test_an_organisation_has_its_own_and_the_others_keep_the_platforms(
    folder: Path, watched: YamlRuleBook
) -> None:
    others = watched.of("other")
    own = folder / "routing" / "organisations" / "acme.yaml"
    own.write_text(DEEP)
    await becomes(lambda: watched.of("acme").default_tier == "deep")
    assert watched.of("other") is others
    assert watched.of("acme").org_id == "acme"

    own.unlink()
    await becomes(lambda: watched.of("acme") is others)


WRONG = "version: 1\ndefaults: {tier: none}\n"
STRICT = 'version: 1\npolicies: |\n  @id("home") forbid (principal, action, resource == Service::"one/m");\n'


def put(folder: Path, org_id: str, text: str) -> None:
    (folder / "routing" / "organisations" / f"{org_id}.yaml").write_text(text)


async def test_a_wrong_file_of_an_organisation_closes_that_organisation_alone(
    folder: Path, files: WatchedFiles[Rules]
) -> None:
    (folder / "routing" / "platform.yaml").write_text(STRICT)
    put(folder, "acme", WRONG)
    put(folder, "good", DEEP)
    await files.load()
    book = YamlRuleBook(files)
    assert "forbid (principal, action, resource);" in book.of("acme").org_policies
    assert book.of("acme").closed_by == "routing/organisations/acme.yaml line 2: defaults.tier: there is no tier 'none'"
    assert shown(book, "acme") == [book.of("acme").closed_by]
    # Others hear that something is wrong, and whoever runs the installation which file and where.
    assert shown(book, "other") == ["routing/organisations/ the rules of another organisation are wrong"]
    assert [str(each) for each in book.problems("other", of_all=True)] == shown(book, "acme")
    # What the platform forbids, it forbids there, too; and nobody else notices.
    assert '@id("home")' in book.of("acme").platform_policies
    assert (book.of("good").default_tier, book.of("good").closed_by) == ("deep", "")
    assert not book.of("other").closed_by
    assert book.of("other").has_policies

    put(folder, "acme", DEEP)
    await files.load()
    assert (book.of("acme").default_tier, book.of("acme").closed_by) == ("deep", "")
    assert not book.problems("acme")


async def test_an_organisation_s_wrong_file_keeps_nothing_from_being_taken(
    folder: Path, files: WatchedFiles[Rules]
) -> None:
    put(folder, "acme", DEEP)
    await files.load()
    book = YamlRuleBook(files)
    put(folder, "acme", WRONG)
    (folder / "routing" / "platform.yaml").write_text(STRICT)
    await files.load()
    # What it said before, over what the platform says now.
    assert book.of("acme").default_tier == "deep"
    assert '@id("home")' in book.of("acme").platform_policies
    assert '@id("home")' in book.of("other").platform_policies


async def test_a_wrong_file_that_comes_while_the_router_runs_changes_nothing(
    folder: Path, files: WatchedFiles[Rules]
) -> None:
    await files.load()
    book = YamlRuleBook(files)
    put(folder, "acme", WRONG)
    await files.load()
    assert shown(book, "acme")
    assert book.of("acme") is book.of("other")
    (folder / "routing" / "platform.yaml").write_text(STRICT)
    await files.load()
    assert book.of("acme").has_policies


async def test_while_the_platform_s_file_is_wrong_an_organisation_s_is_taken(
    folder: Path, files: WatchedFiles[Rules]
) -> None:
    (folder / "routing" / "platform.yaml").write_text(STRICT)
    await files.load()
    book = YamlRuleBook(files)
    (folder / "routing" / "platform.yaml").write_text(WRONG)
    put(folder, "acme", DEEP)
    await files.load()
    assert book.of("acme").default_tier == "deep"
    assert '@id("home")' in book.of("acme").platform_policies


async def test_rules_that_the_platform_lets_nobody_have_any_more_stay_as_they_were(
    folder: Path, files: WatchedFiles[Rules]
) -> None:
    lifted = '@id("mine") @overrides("home") permit (principal, action, resource);'
    overridable = STRICT.replace('@id("home")', '@id("home") @overridable("true")')
    (folder / "routing" / "platform.yaml").write_text(overridable)
    put(folder, "acme", f"version: 1\npolicies: '{lifted}'\n")
    await files.load()
    book = YamlRuleBook(files)
    before = book.of("acme")
    (folder / "routing" / "platform.yaml").write_text(STRICT)
    await files.load()
    assert book.of("acme") is before
    assert "has no policy 'home' with" in shown(book, "acme")[0]
    assert not book.of("other").platform_policies.count("overridable")


async def test_a_file_that_cannot_be_read_is_one_organisation_s_trouble(
    folder: Path, files: WatchedFiles[Rules]
) -> None:
    own = folder / "routing" / "organisations" / "acme.yaml"
    own.symlink_to(own)
    put(folder, "good", DEEP)
    await files.load()
    book = YamlRuleBook(files)
    assert shown(book, "acme")[0].startswith("routing/organisations/acme.yaml cannot be read: ")
    assert "forbid (principal, action, resource);" in book.of("acme").org_policies
    assert book.of("good").default_tier == "deep"
    own.unlink()
    put(folder, "acme", DEEP)
    await files.load()
    assert not book.problems("acme")


async def test_a_folder_of_rules_that_cannot_be_listed_is_not_an_empty_one(
    folder: Path, files: WatchedFiles[Rules]
) -> None:
    (folder / "routing" / "organisations").rmdir()
    (folder / "routing" / "organisations").write_text("no folder")
    await files.load()
    book = YamlRuleBook(files)
    assert shown(book) == ["routing/organisations cannot be read: Not a directory"]
    assert book.of("acme").closed_by


async def test_since_when_a_file_is_wrong_stays_while_it_is(folder: Path) -> None:
    clock = FakeClock()
    files = rule_files(folder, 60, clock)
    book = YamlRuleBook(files)
    put(folder, "acme", WRONG)
    await files.load()
    began = clock.now()
    clock.advance(60)
    put(folder, "acme", "version: [\n")
    put(folder, "late", WRONG)
    await files.load()
    assert [(each.file, each.since) for each in files.current().problems] == [
        ("routing/organisations/acme.yaml", began),
        ("routing/organisations/late.yaml", clock.now()),
    ]
    assert len(book.problems("acme")) == 2
