"""Who may call which tool: settings, scopes and Cedar policies, and that more of them never allow more."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tools_fakes import ECHO, FakeToolSettings

from shared.errors import PreconditionFailed
from shared.testing.harness import principal
from tool_executor.adapters.cedar import policy_names
from tool_executor.adapters.cedar.policy_files import CedarPolicyFiles
from tool_executor.adapters.cedar.role_file import load_includes
from tool_executor.adapters.tool_policy_cedar import CedarToolPolicy
from tool_executor.domain.tool_call import CallOrigin
from tool_executor.domain.tool_decision import ArgumentFacts, PolicyQuestion, ToolDecision, ToolRules
from tool_executor.domain.tool_definition import SideEffect, ToolDefinition
from tool_executor.domain.tool_scope import ToolScope

SHIPPED = Path(__file__).resolve().parents[3] / "config/policies/tools.cedar"
ROLES = SHIPPED.with_name("roles.yaml")
OWNER = principal()
OPERATOR = principal(roles=("operator",), permissions=("tools.execute",))
NIGHT = '@id("no-shell") forbid (principal, action, resource == Tool::"shell");\n'


def tool(name: str, effect: SideEffect = SideEffect.READ, **changes: object) -> ToolDefinition:
    return dataclasses.replace(ECHO, name=name, side_effect=effect, **changes)  # type: ignore[arg-type]


PAY = tool("pay", SideEffect.PAYMENT)
SEND = tool("send", SideEffect.EXTERNAL, source="mcp:mail", owner="user-9")
READ = tool("read")
SHELL = tool("shell", SideEffect.WRITE)
ALL = (PAY, SEND, READ, SHELL)


class Bench:
    """The shipped policies in a folder of their own, and an organisation's settings."""

    def __init__(self, folder: Path, platform: str | None = None, own: str | None = None) -> None:
        self.file = folder / "tools.cedar"
        self.own = folder / "tools" / "org-a.cedar"
        self.own.parent.mkdir(exist_ok=True)
        self.file.write_text(SHIPPED.read_text() if platform is None else platform)
        self.own.unlink(missing_ok=True)
        if own is not None:
            self.own.write_text(own)
        self.files = CedarPolicyFiles(self.file, poll_s=1)
        self.files.load()
        self.settings = FakeToolSettings()
        self.policy = CedarToolPolicy(self.settings, self.files, load_includes(ROLES))

    async def decide(self, *tools: ToolDefinition, who: object = OWNER, **question: object) -> list[ToolDecision]:
        asked = PolicyQuestion(who, **question)  # type: ignore[arg-type]
        return list(await self.policy.decisions(asked, tools or ALL))

    async def allowed(self, *tools: ToolDefinition, **question: object) -> set[str]:
        decided = await self.decide(*tools, **question)
        return {each.name for each, decision in zip(tools or ALL, decided, strict=True) if decision.allowed}


async def test_the_shipped_policies_allow_all_but_payments_which_are_for_owners(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert await bench.allowed() == {"pay", "send", "read", "shell"}
    assert await bench.allowed(who=OPERATOR) == {"send", "read", "shell"}
    refused = (await bench.decide(PAY, who=OPERATOR))[0]
    assert refused == ToolDecision(enabled=True, allowed=False, reason="No policy permits it.")
    assert (await bench.decide(READ))[0].policies == ("platform:everyday",)


async def test_the_switch_comes_first_then_permissions_then_scopes_then_policies(tmp_path: Path) -> None:
    bench = Bench(tmp_path, own=NIGHT)
    shell = dataclasses.replace(SHELL, permissions=("sandbox.execute",))
    scope = ToolScope("clerk", "", ("read",))
    question = {"who": OPERATOR, "origin": CallOrigin(agent="clerk")}
    bench.settings.known["org-a"] = ToolRules(frozenset({"shell"}), (scope,))
    assert (await bench.decide(shell, **question))[0].enabled is False
    bench.settings.known["org-a"] = ToolRules(scopes=(scope,))
    assert (await bench.decide(shell, **question))[0].policies == ("permission:sandbox.execute",)
    assert (await bench.decide(SHELL, **question))[0].policies == ("scope:agent=clerk",)
    bench.settings.known.clear()
    found = (await bench.decide(SHELL, **question))[0]
    assert (found.allowed, found.policies) == (False, ("organisation:no-shell",))
    assert "organisation:no-shell" in found.reason


@pytest.mark.parametrize(
    ("policy", "question", "left"),
    [
        ('principal in Role::"operator", action in Action::"effect", resource', {"who": OPERATOR}, {"read"}),
        ('principal == User::"user-1", action, resource in Source::"mcp:mail"', {}, {"pay", "read", "shell"}),
        ('principal in Organisation::"org-a", action == Action::"write", resource', {}, {"pay", "send", "read"}),
        ('principal in Organisation::"org-b", action, resource', {}, {"pay", "send", "read", "shell"}),
    ],
)
async def test_policies_speak_of_callers_effects_and_sources(
    tmp_path: Path, policy: str, question: dict[str, object], left: set[str]
) -> None:
    assert await Bench(tmp_path, own=f'@id("x") forbid ({policy});').allowed(**question) == left


@pytest.mark.parametrize(
    ("condition", "changes"),
    [
        ('context.channel == "telegram"', {"origin": CallOrigin(channel="telegram")}),
        ('context.agent == "clerk"', {"origin": CallOrigin(agent="clerk")}),
        ("context.dry_run", {"dry_run": True}),
        ('context.argument_names.contains("to")', {"arguments": ArgumentFacts(frozenset({"to"}), 9)}),
        ("context.argument_bytes > 8", {"arguments": ArgumentFacts(frozenset({"to"}), 9)}),
        ('resource.owner == "nexus" && context.agent == "a"', {"origin": CallOrigin(agent="a")}),
    ],
)
async def test_policies_speak_of_agents_channels_and_facts_of_arguments(
    tmp_path: Path, condition: str, changes: dict[str, object]
) -> None:
    bench = Bench(tmp_path, own=f'@id("x") forbid (principal, action, resource) when {{ {condition} }};')
    assert await bench.allowed(READ) == {"read"}
    assert await bench.allowed(READ, **changes) == set()


async def test_one_organisations_policies_are_not_anothers(tmp_path: Path) -> None:
    bench = Bench(tmp_path, own=NIGHT)
    assert "shell" in await bench.allowed(who=principal(org_id="org-b"))
    assert "shell" in await bench.allowed(who=principal(org_id="../tools"))


async def test_what_cannot_be_evaluated_forbids(tmp_path: Path) -> None:
    huge = "context.argument_bytes * 9223372036854775807 > 1"
    bench = Bench(tmp_path, own=f'@id("x") forbid (principal, action, resource) when {{ {huge} }};')
    decided = (await bench.decide(READ, arguments=ArgumentFacts(frozenset(), 9)))[0]
    assert (decided.allowed, decided.reason) == (False, "A policy could not be evaluated.")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('@id("a")\nforbid (principal, action, resource)\nwhen { context.chanel == "x" };', "line 3: "),
        ('@id("a")\npermit (principal, action, resource);', "line 1: is a permit"),
        ("forbid (principal, action, resource);", "line 1: needs @id"),
        ('@id("a") forbid (principal, action, resource', "line 1: is no Cedar policy"),
        ('@id("a") @note("b") forbid (principal, action, resource);', "line 1: there is no annotation @note"),
        ("\ud800", "line 1: is no UTF-8 text"),
    ],
)
async def test_a_wrong_file_of_an_organisation_is_refused_with_its_line_and_nothing_runs(
    tmp_path: Path, text: str, problem: str
) -> None:
    bench = Bench(tmp_path)
    bench.own.write_bytes(text.encode("utf-8", "surrogatepass"))
    bench.files.load()
    assert bench.files.files()[1].name == "tools/org-a.cedar"
    assert bench.files.files()[1].problem.startswith(problem)
    assert await bench.allowed() == set()
    assert problem in (await bench.decide(READ))[0].reason
    assert await bench.allowed(who=principal(org_id="org-b")) == {"pay", "send", "read", "shell"}


async def test_changed_files_are_taken_wrong_ones_are_not_and_the_policies_before_stay(tmp_path: Path) -> None:
    bench = Bench(tmp_path, own=NIGHT)
    bench.own.write_text("nonsense")
    bench.files.load()
    assert await bench.allowed() == {"pay", "send", "read"}
    bench.file.write_text("nonsense")
    bench.files.load()
    assert await bench.allowed() == {"pay", "send", "read"}
    assert [bool(file.problem) for file in bench.files.files()] == [True, True]
    assert bench.files.files()[1].policies == ("no-shell",)
    bench.file.write_text('@id("less") permit (principal, action == Action::"read", resource);')
    bench.own.unlink()
    bench.files.load()
    # A file that is gone is missed at the second look only.
    assert await bench.allowed() == {"read"}
    bench.file.write_text(SHIPPED.read_text())
    bench.files.load()
    assert await bench.allowed() == {"pay", "send", "read", "shell"}
    assert [file.problem for file in bench.files.files()] == [""]
    bench.file.unlink()
    bench.files.load()
    assert await bench.allowed() == {"pay", "send", "read", "shell"}
    assert [file.problem for file in bench.files.files()] == ["is not there"]


async def test_who_holds_a_role_holds_what_it_includes(tmp_path: Path) -> None:
    bench = Bench(tmp_path, own='@id("x") forbid (principal, action, resource) unless { principal in Role::"admin" };')
    assert await bench.allowed(READ) == {"read"}
    assert await bench.allowed(READ, who=OPERATOR) == set()
    assert await bench.allowed(READ, who=principal(roles=("stranger",))) == set()


def test_what_holds_for_nobody_is_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    org_id = "0190a0c4-1c5e-7f00-8000-0000000000ab"
    for name in (org_id, org_id.upper(), "acme"):
        (bench.own.parent / f"{name}.cedar").write_text(NIGHT)
    for name in (f"{org_id}.CEDAR", f"{org_id}.cedar~", ".hidden"):
        (bench.own.parent / name).write_text(NIGHT)
    bench.files.load()
    told = {file.name: file.problem.partition(":")[0] for file in bench.files.files()}
    assert told == {
        "tools.cedar": "",
        f"tools/{org_id}.cedar": "",
        f"tools/{org_id.upper()}.cedar": "holds for nobody",
        "tools/acme.cedar": "holds for nobody",
        f"tools/{org_id}.CEDAR": "is not read",
    }


def test_too_many_files_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_names, "FILES_CAP", 1)
    bench = Bench(tmp_path, own=NIGHT)
    bench.own.with_name("org-b.cedar").write_text(NIGHT)
    bench.files.load()
    assert bench.files.files()[-1].problem == "holds 2 files of policies, of which 1 are read"


async def test_what_is_no_file_is_named_and_the_others_are_still_read(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    os.mkfifo(bench.own)
    bench.own.with_name("org-b.cedar").write_text(NIGHT)
    async with asyncio.timeout(5):
        await asyncio.to_thread(bench.files.load)
    assert bench.files.files()[1].problem == "cannot be read: it is no regular file"
    assert await bench.allowed() == set()
    assert "shell" not in await bench.allowed(who=principal(org_id="org-b"))


@pytest.mark.parametrize("platform", ["", "permit (principal, action, resource);"])
async def test_a_start_without_good_platform_policies_is_refused_or_allows_nothing(
    tmp_path: Path, platform: str
) -> None:
    if not platform:
        assert await Bench(tmp_path, platform="").allowed() == set()
        return
    with pytest.raises(PreconditionFailed) as caught:
        Bench(tmp_path, platform=platform)
    assert caught.value.reason == "TOOL_POLICIES_INVALID"
    assert "line 1" in caught.value.message


WORDS = st.sampled_from(["", "clerk", "guest"])
PATTERNS = st.lists(st.sampled_from(["*", "pay", "se*", "*ea*", "s*l", "read", "nothing"]), max_size=3)
SCOPES = st.builds(ToolScope, WORDS, WORDS, PATTERNS.map(tuple))
FORBIDS = st.sampled_from(
    [
        "(principal, action, resource)",
        '(principal in Role::"operator", action, resource)',
        '(principal, action in Action::"effect", resource)',
        '(principal, action, resource == Tool::"read")',
        '(principal, action, resource) when { context.agent == "clerk" }',
        '(principal, action, resource) unless { context.channel == "guest" }',
    ]
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    scopes=st.lists(SCOPES, max_size=3),
    more=SCOPES,
    forbids=st.lists(FORBIDS, max_size=2),
    another=FORBIDS,
    question=st.tuples(st.sampled_from([OWNER, OPERATOR]), WORDS, WORDS),
)
async def test_a_scope_or_a_policy_more_never_allows_more(
    tmp_path: Path, scopes: list[ToolScope], more: ToolScope, forbids: list[str], another: str, question: tuple
) -> None:
    who, agent, channel = question
    origin = CallOrigin(agent, channel)

    async def allowed(scopes: list[ToolScope], forbids: list[str]) -> set[str]:
        own = "\n".join(f'@id("p{number}") forbid {each};' for number, each in enumerate(forbids))
        bench = Bench(tmp_path, own=own)
        bench.settings.known["org-a"] = ToolRules(scopes=tuple(scopes))
        return await bench.allowed(who=who, origin=origin)

    before = await allowed(scopes, forbids)
    assert await allowed([*scopes, more], forbids) <= before
    assert await allowed(scopes, [*forbids, another]) <= before
    assert all(each.names(name) for each in scopes if each.applies_to(origin) for name in before)


@pytest.mark.parametrize(
    ("pattern", "names", "others"),
    [
        ("github_*", {"github_", "github_issue"}, {"github", "xgithub_a"}),
        ("*", {"", "anything"}, set()),
        ("a*b*c", {"abc", "a1b2c", "abbc"}, {"acb", "ab", "ac"}),
        ("a*a", {"aa", "aba"}, {"a"}),
        ("a.b", {"a.b"}, {"axb"}),
        ("**x**", {"x", "axb"}, {"y"}),
    ],
)
def test_a_star_is_any_number_of_characters(pattern: str, names: set[str], others: set[str]) -> None:
    scope = ToolScope("", "", (pattern,))
    assert {name for name in names | others if scope.names(name)} == names


def test_a_hostile_pattern_takes_no_time() -> None:
    began = time.perf_counter()
    assert not ToolScope("", "", ("a*" * 64,)).names("a" * 63 + "b")
    assert time.perf_counter() - began < 0.01


async def test_a_decision_takes_less_than_a_fifth_of_a_millisecond(tmp_path: Path) -> None:
    own = "".join(
        f'@id("f{number}") forbid (principal, action in Action::"effect", resource) '
        f'when {{ context.channel == "c{number}" && resource.source like "mcp:*" }};'
        for number in range(20)
    )
    bench = Bench(tmp_path, own=own)
    await bench.decide(SEND)
    best = min([await _seconds(bench) for _ in range(20)])
    assert best < 0.0002


async def _seconds(bench: Bench) -> float:
    began = time.perf_counter()
    for _ in range(10):
        await bench.decide(SEND)
    return (time.perf_counter() - began) / 10


async def test_a_file_that_appears_is_taken_by_the_watch(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.files = CedarPolicyFiles(bench.file, poll_s=0.01)
    bench.files.load()
    bench.policy = CedarToolPolicy(bench.settings, bench.files, {})
    assert "shell" in await bench.allowed()
    watch = asyncio.create_task(bench.files.watch())
    bench.own.write_text(NIGHT)
    try:
        async with asyncio.timeout(5):
            while "shell" in await bench.allowed():
                await asyncio.sleep(0.005)
    finally:
        watch.cancel()
    bench.own.write_text("nonsense")
    assert "shell" not in await bench.allowed()


async def test_a_listing_of_hundreds_of_tools_asks_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, own=NIGHT)
    tools = [SHELL, *(tool(f"tool_{number}", SideEffect.EXTERNAL) for number in range(300))]
    decided = await bench.decide(*tools)
    assert [decision.allowed for decision in decided] == [False, *[True] * 300]
