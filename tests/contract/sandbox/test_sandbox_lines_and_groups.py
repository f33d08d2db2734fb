"""The line to a PID 1 under many questions, and the groups of organisations."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sandbox_service.adapters.launcher import wire
from sandbox_service.adapters.namespaces.cgroups import CgroupTree, Hierarchy
from sandbox_service.adapters.namespaces.line import Line
from sandbox_service.adapters.namespaces.organisation_groups import OrganisationGroups


async def test_more_questions_than_the_socket_holds_are_all_answered_in_order() -> None:
    ours, theirs = wire.pair()
    line = Line(ours, lambda _message, _descriptors: None)
    asked = [asyncio.create_task(line.ask({"number": number, "pad": "x" * 5_000})) for number in range(600)]

    def answer() -> None:
        for _ in range(600):
            message, _ = wire.receive(theirs)
            assert message is not None
            wire.send(theirs, {"re": message["number"]})

    with theirs:
        await asyncio.to_thread(answer)
        assert [(await task)[0]["re"] for task in asked] == list(range(600))
        line.close()


async def test_all_groups_of_an_organisation_lie_in_one_that_goes_with_the_last(tmp_path: Path) -> None:
    groups = OrganisationGroups(CgroupTree([Hierarchy(1, tmp_path, frozenset({"memory", "cpu"}))]))
    first, second, other = await asyncio.gather(groups.take("a"), groups.take("a"), groups.take("b"))
    assert first is not None
    assert second is not None
    assert other is not None
    places = [tree.hierarchies[0].base.parent for tree in (first, second, other)]
    assert places[0] == places[1] != places[2]
    await groups.give_back("a", first)
    assert places[0].exists()
    await groups.give_back("a", second)
    assert not places[0].exists()
    assert places[2].exists()
    await groups.give_back("b", other)
    assert list(tmp_path.iterdir()) == []


async def test_where_there_are_no_groups_none_is_made() -> None:
    groups = OrganisationGroups(None)
    assert await groups.take("a") is None
    await groups.give_back("a", None)
