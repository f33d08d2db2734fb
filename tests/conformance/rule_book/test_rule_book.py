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


def test_the_fake_gives_the_same_object_each_time() -> None:
    book = FakeRuleBook()
    assert book.of("acme") is book.of("acme")
    assert book.error() == ""


def test_until_the_files_were_looked_at_everything_is_forbidden(files: WatchedFiles[Rules]) -> None:
    assert "forbid (principal, action, resource);" in YamlRuleBook(files).of("acme").platform_policies


async def test_without_files_the_built_in_rules_are_in_force(watched: YamlRuleBook) -> None:
    assert watched.of("acme").tiers == BUILT_IN
    assert not watched.of("acme").has_policies
    assert watched.error() == ""


async def test_while_files_were_never_good_everything_is_forbidden(folder: Path, files: WatchedFiles[Rules]) -> None:
    (folder / "routing" / "platform.yaml").write_text("version: 1\npolicies: permit\n")
    await files.load()
    book = YamlRuleBook(files)
    assert book.error().startswith("routing/platform.yaml line 2: policies: ")
    assert "forbid (principal, action, resource);" in book.of("acme").platform_policies


async def test_a_change_is_taken_and_a_wrong_one_is_not(folder: Path, watched: YamlRuleBook) -> None:
    platform = folder / "routing" / "platform.yaml"
    platform.write_text(DEEP)
    await becomes(lambda: watched.of("acme").default_tier == "deep")
    before = watched.of("acme")
    assert watched.of("acme") is before

    platform.write_text("version: 1\ndefaults: {tier: none}\n")
    await becomes(lambda: watched.error() != "")
    assert watched.error() == "routing/platform.yaml line 2: defaults.tier: there is no tier 'none'"
    assert watched.of("acme") is before

    platform.write_text("version: 1\ndefaults: {tier: fast}\n")
    await becomes(lambda: watched.error() == "")
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
