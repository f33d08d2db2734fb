"""What every `ServiceRegistry` holds: SQLite beside real files, and the fake that stands in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from router_contracts import FakeServiceRegistry
from router_fakes import contract_of

from provider_router.adapters.configuration_files import configuration_files
from provider_router.adapters.service_registry_sqlite import SqliteServiceRegistry
from provider_router.adapters.yaml_file.provider_reader import LocalAddresses, read_configuration
from provider_router.domain.contracts import registry_change
from provider_router.domain.contracts.contract import Contract, Operation
from provider_router.domain.contracts.contract_document import encode_registry, registry_digest
from provider_router.domain.contracts.registry_change import Change, Removal
from provider_router.ports.service_registry import ServiceRegistry
from shared.errors import AlreadyExists, InvalidInput, NotFound, PreconditionFailed, QuotaExceeded, StaleWrite
from shared.storage import Database
from shared.testing.fakes import FakeClock

LOCAL = LocalAddresses("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1")
ONE = """\
version: 1
providers:
  one: {type: openai_compatible, base_url: "https://one.test/v1", models: [{name: m, chat: true}]}
  keyed: {type: openai_compatible, base_url: "https://k.test/v1", api_key_env: KEY, models: [{name: m, chat: true}]}
  claude: {type: anthropic, models: [{name: m, chat: true}]}
chains: {chat: [one/m]}
"""
WITHOUT_ONE = ONE.replace("  one:", "  two:").replace("one/m", "two/m")
WITH_NEW = ONE.replace(
    "models: [{name: m, chat: true}]}\n  keyed", "models: [{name: m, chat: true}, {name: new, chat: true}]}\n  keyed"
)


@dataclass
class Case:
    """A registry over the configuration `ONE`, and how to give it another one."""

    registry: ServiceRegistry
    reconfigure: Callable[[str], Awaitable[None]]


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncGenerator[Case, None]:
    file = folder / "providers.yaml"
    file.write_text(ONE)
    database = Database(folder / "router.sqlite", "provider_router.adapters.migrations")
    await database.open()
    registry = SqliteServiceRegistry(database, configuration_files(file, LOCAL, 0.01), FakeClock(), 0.01)
    await registry.load()

    async def reconfigure(text: str) -> None:
        file.write_text(text)
        await registry.refresh()

    try:
        yield Case(registry, reconfigure)
    finally:
        await database.close()


@asynccontextmanager
async def fake(_: Path) -> AsyncGenerator[Case, None]:
    registry = FakeServiceRegistry(read_configuration(ONE.encode(), LOCAL), FakeClock())

    async def reconfigure(text: str) -> None:
        registry.reconfigure(read_configuration(text.encode(), LOCAL))

    yield Case(registry, reconfigure)


@pytest.fixture(params=[sqlite, fake])
async def case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Case, None]:
    async with request.param(tmp_path) as made:
        yield made


def new(name: str = "one/new", org_id: str = "org-a", **changes: object) -> Contract:
    return contract_of(name, org_id=org_id, **changes)


def names(registry: ServiceRegistry, org_id: str = "org-a") -> list[str]:
    return list(registry.current(org_id).services)


async def test_the_files_contracts_are_there_for_everybody(case: Case) -> None:
    for org_id in ("", "org-a"):
        snapshot = case.registry.current(org_id)
        assert list(snapshot.services) == ["claude/m", "keyed/m", "one/m"]
        assert list(snapshot.providers) == ["one", "keyed", "claude"]
        assert snapshot.chat_chain == ("one/m",)
        assert snapshot.version >= 1
    assert case.registry.current() is case.registry.current()


async def test_a_registered_contract_is_in_force_for_its_organisation_alone(case: Case) -> None:
    before = case.registry.current("org-a")
    made = await case.registry.register(Change(new("keyed/new", version=7, demonstration=True), "r1"))
    assert (made.version, made.needs_auth, made.demonstration, made.org_id) == (1, True, False, "org-a")
    after = case.registry.current("org-a")
    assert after.services["keyed/new"].contract == made
    assert after.services["keyed/new"].provider is after.providers["keyed"]
    assert list(after.services) == ["claude/m", "keyed/m", "keyed/new", "one/m"]
    assert after.version > before.version
    assert after.digest == registry_digest(service.contract for service in after.services.values())
    assert "keyed/new" not in names(case.registry, "org-b")
    assert "keyed/new" not in names(case.registry, "")
    # Who decides by the snapshot before goes on with it.
    assert "keyed/new" not in before.services


async def test_two_organisations_may_use_one_name(case: Case) -> None:
    await case.registry.register(Change(new(owner="A"), "r1"))
    await case.registry.register(Change(new(org_id="org-b", owner="B"), "r1"))
    assert case.registry.current("org-a").services["one/new"].contract.owner == "A"
    assert case.registry.current("org-b").services["one/new"].contract.owner == "B"


async def test_everything_has_every_organisation_s_services(case: Case) -> None:
    assert list(case.registry.everything().services) == names(case.registry, "")
    await case.registry.register(Change(new("one/a"), "r1"))
    await case.registry.register(Change(new("one/b", "org-b"), "r1"))
    assert list(case.registry.everything().services) == ["claude/m", "keyed/m", "one/a", "one/b", "one/m"]
    assert case.registry.everything() is case.registry.everything()


@pytest.mark.parametrize(
    ("contract", "kind", "reason"),
    [
        (new("one/m"), AlreadyExists, "CONTRACT_EXISTS"),
        (new("nobody/m"), InvalidInput, "PROVIDER_UNKNOWN"),
        (new("claude/e", embeddings=True), InvalidInput, "CONTRACT_INVALID"),
    ],
)
async def test_contracts_that_cannot_be_registered(case: Case, contract: Contract, kind: type, reason: str) -> None:
    before = case.registry.current("org-a")
    with pytest.raises(kind) as caught:
        await case.registry.register(Change(contract, "r1"))
    assert caught.value.reason == reason
    assert case.registry.current("org-a") is before


async def test_a_name_is_registered_once(case: Case) -> None:
    await case.registry.register(Change(new(), "r1"))
    with pytest.raises(AlreadyExists) as caught:
        await case.registry.register(Change(new(owner="other"), "r2"))
    assert caught.value.reason == "CONTRACT_EXISTS"


async def test_an_organisation_registers_so_many(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_change, "MAX_CONTRACTS", 2)
    for number in range(2):
        await case.registry.register(Change(new(f"one/{number}"), f"r{number}"))
    with pytest.raises(QuotaExceeded) as caught:
        await case.registry.register(Change(new("one/3"), "r3"))
    assert caught.value.reason == "CONTRACT_LIMIT"
    await case.registry.register(Change(new("one/3", "org-b"), "r3"))


async def test_an_update_replaces_the_version_that_it_names(case: Case) -> None:
    await case.registry.register(Change(new(owner="first"), "r1"))
    made = await case.registry.update(Change(new(owner="second"), "r2"))
    assert (made.version, made.owner) == (2, "second")
    with pytest.raises(StaleWrite) as caught:
        await case.registry.update(Change(new(owner="third"), "r3"))
    assert (caught.value.reason, caught.value.metadata["version"]) == ("CONTRACT_CHANGED", "2")
    assert case.registry.current("org-a").services["one/new"].contract == made


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [("one/none", NotFound, "CONTRACT_UNKNOWN"), ("one/m", PreconditionFailed, "CONTRACT_FROM_FILE")],
)
async def test_contracts_that_cannot_be_changed(case: Case, name: str, kind: type, reason: str) -> None:
    await case.registry.register(Change(new("one/none", "org-b"), "r0"))
    for refused in (
        case.registry.update(Change(new(name), "r1")),
        case.registry.deregister(Removal("org-a", name, "r2")),
    ):
        with pytest.raises(kind) as caught:
            await refused
        assert caught.value.reason == reason
    assert "one/none" in names(case.registry, "org-b")


async def test_a_contract_that_is_deregistered_is_gone_and_may_come_back(case: Case) -> None:
    await case.registry.register(Change(new(), "r1"))
    version = case.registry.current("org-a").version
    await case.registry.deregister(Removal("org-a", "one/new", "r2"))
    assert "one/new" not in names(case.registry)
    assert case.registry.current("org-a").version > version
    assert (await case.registry.register(Change(new(), "r3"))).version == 1


async def test_a_request_is_carried_out_once(case: Case) -> None:
    first = await case.registry.register(Change(new(), "r1"))
    updated = await case.registry.update(Change(new(owner="x"), "r2"))
    await case.registry.deregister(Removal("org-a", "one/new", "r3"))
    after = case.registry.current("org-a")
    assert await case.registry.register(Change(new(), "r1")) == first
    assert await case.registry.update(Change(new(owner="x"), "r2")) == updated
    await case.registry.deregister(Removal("org-a", "one/new", "r3"))
    assert case.registry.current("org-a") is after
    # Another organisation's ids are its own.
    await case.registry.register(Change(new(org_id="org-b"), "r1"))


async def test_a_request_id_stands_for_one_request(case: Case) -> None:
    await case.registry.register(Change(new(), "r1"))
    for again in (
        case.registry.register(Change(new("one/other"), "r1")),
        case.registry.update(Change(new(), "r1")),
        case.registry.deregister(Removal("org-a", "one/new", "r1")),
    ):
        with pytest.raises(AlreadyExists) as caught:
            await again
        assert caught.value.reason == "REQUEST_ID_REUSED"


async def test_a_request_that_was_refused_may_be_made_again(case: Case) -> None:
    with pytest.raises(NotFound):
        await case.registry.update(Change(new(), "r1"))
    await case.registry.register(Change(new(), "r2"))
    assert (await case.registry.update(Change(new(), "r1"))).version == 2


async def test_a_contract_whose_provider_went_is_suspended_and_comes_back(case: Case) -> None:
    made = await case.registry.register(Change(new(), "r1"))
    await case.reconfigure(WITHOUT_ONE)
    snapshot = case.registry.current("org-a")
    assert list(snapshot.services) == ["claude/m", "keyed/m", "two/m"]
    assert snapshot.suspended["one/new"].contract == made
    assert "'one' is not configured" in snapshot.suspended["one/new"].reason
    assert case.registry.current("org-b").suspended == {}
    await case.reconfigure(ONE)
    assert case.registry.current("org-a").services["one/new"].contract == made
    assert case.registry.current("org-a").suspended == {}


async def test_a_suspended_contract_can_be_removed(case: Case) -> None:
    await case.registry.register(Change(new(), "r1"))
    await case.reconfigure(WITHOUT_ONE)
    await case.registry.deregister(Removal("org-a", "one/new", "r2"))
    assert case.registry.current("org-a").suspended == {}


async def test_a_contract_of_the_files_wins_over_a_registered_one(case: Case) -> None:
    await case.registry.register(Change(new(owner="registered"), "r1"))
    await case.reconfigure(WITH_NEW)
    snapshot = case.registry.current("org-a")
    assert snapshot.services["one/new"].contract.org_id == ""
    assert "files" in snapshot.suspended["one/new"].reason


async def test_a_change_of_the_files_reaches_every_organisation(case: Case) -> None:
    await case.registry.register(Change(new(), "r1"))
    versions = [case.registry.current(org_id).version for org_id in ("", "org-a", "org-b")]
    await case.reconfigure(ONE.replace("name: m, chat", "name: m2, chat").replace("one/m", "one/m2"))
    assert names(case.registry, "org-b") == ["claude/m2", "keyed/m2", "one/m2"]
    assert names(case.registry) == ["claude/m2", "keyed/m2", "one/m2", "one/new"]
    after = [case.registry.current(org_id).version for org_id in ("", "org-a", "org-b")]
    assert all(now > before for now, before in zip(after, versions, strict=True))


async def test_whoever_watches_sees_what_is_new_and_nothing_of_others(case: Case) -> None:
    async with aclosing(case.registry.changes(0, "org-a")) as changes:
        first = await anext(changes)
        assert first is case.registry.current("org-a")
        waiting = asyncio.ensure_future(anext(changes))
        await case.registry.register(Change(new("one/b", "org-b"), "r1"))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await case.registry.register(Change(new("one/a"), "r1"))
        seen = await asyncio.wait_for(waiting, 1)
        assert "one/a" in seen.services
        assert seen.version > first.version


async def test_a_slow_watcher_gets_the_newest(case: Case) -> None:
    async with aclosing(case.registry.changes(0, "org-a")) as changes:
        await anext(changes)
        for number in range(3):
            await case.registry.register(Change(new(f"one/{number}"), f"r{number}"))
        assert (await anext(changes)) is case.registry.current("org-a")


async def test_whoever_has_the_newest_waits(case: Case) -> None:
    changes = case.registry.changes(case.registry.current("org-a").version, "org-a")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(changes), 0.02)


async def test_changes_at_once_are_made_one_by_one(case: Case) -> None:
    await asyncio.gather(*(case.registry.register(Change(new(f"one/n{n}"), f"r{n}")) for n in range(20)))
    assert {f"one/n{n}" for n in range(20)} <= set(names(case.registry))
    await case.registry.update(Change(new("one/n1"), "u0"))
    outcomes = await asyncio.gather(
        *(case.registry.update(Change(new("one/n1", version=2, owner=str(n)), f"u-{n}")) for n in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Contract) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, StaleWrite) for outcome in outcomes) == 4


async def test_whether_a_key_is_needed_follows_the_provider(case: Case) -> None:
    await case.registry.register(Change(new("keyed/new"), "r1"))
    await case.reconfigure(ONE.replace(" api_key_env: KEY,", ""))
    assert not case.registry.current("org-a").services["keyed/new"].contract.needs_auth


# What SQLite holds besides.


async def opened(folder: Path, clock: FakeClock | None = None) -> tuple[SqliteServiceRegistry, Database]:
    file = folder / "providers.yaml"
    if not file.exists():
        file.write_text(ONE)
    database = Database(folder / "router.sqlite", "provider_router.adapters.migrations")
    await database.open()
    files = configuration_files(file, LOCAL, 0.01)
    registry = SqliteServiceRegistry(database, files, clock or FakeClock(), 0.01)
    await registry.load()
    return registry, database


async def test_contracts_requests_and_versions_outlive_a_restart(tmp_path: Path) -> None:
    registry, database = await opened(tmp_path)
    asked = new(operations=frozenset({Operation.CHAT, Operation.IMAGE}))
    made = await registry.register(Change(asked, "r1"))
    before = registry.current("org-a")
    await database.close()
    registry, database = await opened(tmp_path)
    after = registry.current("org-a")
    assert after.services["one/new"].contract == made
    assert after.digest == before.digest
    assert after.version > before.version
    assert await registry.register(Change(asked, "r1")) == made
    await database.close()


async def test_replicas_see_each_other_s_contracts(tmp_path: Path) -> None:
    one, first = await opened(tmp_path)
    two, second = await opened(tmp_path)
    await one.register(Change(new("one/a"), "r1"))
    await two.register(Change(new("one/b"), "r2"))
    with pytest.raises(AlreadyExists):
        await two.register(Change(new("one/a"), "r3"))
    for registry in (one, two):
        await registry.refresh()
    expected = ["claude/m", "keyed/m", "one/a", "one/b", "one/m"]
    assert names(one) == names(two) == expected
    assert one.current("org-a").digest == two.current("org-a").digest
    unchanged = one.current("org-a")
    await one.refresh()
    assert one.current("org-a") is unchanged
    await first.close()
    await second.close()


async def test_a_request_id_is_forgotten_after_a_day(tmp_path: Path) -> None:
    clock = FakeClock()
    registry, database = await opened(tmp_path, clock)
    await registry.register(Change(new("one/a"), "r1"))
    clock.advance(25 * 3600)
    await registry.register(Change(new("one/b"), "r2"))
    await registry.register(Change(new("one/c"), "r1"))
    await database.close()


async def test_files_are_taken_although_the_database_is_down(tmp_path: Path) -> None:
    registry, database = await opened(tmp_path)
    await registry.register(Change(new(), "r1"))
    await database.close()
    version = registry.current("org-a").version
    (tmp_path / "providers.yaml").write_text(WITH_NEW.replace("name: new", "name: newer"))
    await registry.refresh()
    assert "one/newer" in names(registry)
    assert "one/new" in names(registry)
    assert registry.current("org-a").version > version
    (tmp_path / "providers.yaml").write_text("nonsense: [")
    await registry.refresh()
    assert [(each.file, each.line) for each in registry.problems()] == [("providers.yaml", 1)]
    assert "one/newer" in names(registry)


async def test_a_refused_file_changes_no_service_and_no_version(tmp_path: Path) -> None:
    registry, database = await opened(tmp_path)
    before = registry.current("org-a")
    (tmp_path / "providers.yaml").write_text("version: 2")
    await registry.refresh()
    after = registry.current("org-a")
    assert registry.problems()
    assert (after.services, after.version, after.digest) == (before.services, before.version, before.digest)
    await database.close()


async def test_a_stored_contract_of_another_form_is_left_out_and_kept(tmp_path: Path) -> None:
    registry, database = await opened(tmp_path)
    await registry.register(Change(new("one/a"), "r1"))
    await registry.register(Change(new("one/b"), "r2"))
    async with database.begin() as connection:
        await connection.exec_driver_sql("UPDATE contracts SET document = x'7b7d' WHERE name = 'one/a'")
    await database.close()
    registry, database = await opened(tmp_path)
    assert names(registry) == ["claude/m", "keyed/m", "one/b", "one/m"]
    async with database.connect() as connection:
        assert (await connection.exec_driver_sql("SELECT count(*) FROM contracts")).scalar_one() == 2
    await database.close()


async def test_the_document_of_a_snapshot_has_its_digest(tmp_path: Path) -> None:
    registry, database = await opened(tmp_path)
    await registry.register(Change(new(), "r1"))
    snapshot = registry.current("org-a")
    document = encode_registry(service.contract for service in snapshot.services.values())
    assert b'"org_id":"org-a"' in document
    assert snapshot.digest == registry_digest(service.contract for service in snapshot.services.values())
    await database.close()
