"""The file of limits: what it means, and how it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from provider_router.adapters.yaml_file.limits_reader import read_limits
from provider_router.adapters.yaml_file.located_yaml import RefusedFileError
from provider_router.adapters.yaml_file.source_file import SourceFile
from provider_router.domain.money.budget import BudgetLimit, Period, Scope
from provider_router.domain.money.limits import Limits, RateLimit, applicable
from provider_router.domain.money.rate import Unit

SHIPPED = Path(__file__).resolve().parents[3] / "config" / "limits.yaml"


def read(text: str) -> Limits:
    return read_limits({"limits.yaml": SourceFile("limits.yaml", text.encode())})


def refused(text: str) -> str:
    with pytest.raises(RefusedFileError) as caught:
        read(text)
    assert caught.value.file == "limits.yaml"
    return str(caught.value)


def test_no_file_and_the_shipped_file_limit_nothing() -> None:
    assert read_limits({}) == Limits()
    assert read(SHIPPED.read_text()) == Limits()


def test_the_examples_of_the_shipped_file_are_good() -> None:
    text = SHIPPED.read_text().replace("\n#  - ", "\n  - ").replace(": []\n", ":\n")
    limits = read(text)
    assert limits.budgets[0] == BudgetLimit(Scope.ORGANISATION, "*", Period.MONTH, 200_000_000)
    assert limits.budgets[4] == BudgetLimit(Scope.CONVERSATION, "*", Period.DAY, 2_500_000)
    assert limits.rates == (
        RateLimit(Scope.ORGANISATION, "*", Unit.REQUESTS, 600),
        RateLimit(Scope.ORGANISATION, "*", Unit.TOKENS, 2_000_000),
        RateLimit(Scope.USER, "*", Unit.REQUESTS, 60),
    )


def test_money_is_exact() -> None:
    text = "version: 1\nbudgets: [{scope: user, subject: ann, organisation: acme, period: day, usd: 0.000001}]"
    assert read(text).budgets == (BudgetLimit(Scope.USER, "ann", Period.DAY, 1, "acme"),)
    assert read("version: 1\nbudgets: [{scope: user, period: day, usd: 0}]").budgets[0].limit_micro_usd == 0
    large = "version: 1\nbudgets: [{scope: user, period: day, usd: 123456789.123457}]"
    assert read(large).budgets[0].limit_micro_usd == 123_456_789_123_457


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("budgets: []", "line 1: version: is missing"),
        ("version: 2", "line 1: version: "),
        ("version: 1\nbudget: []", "line 2: budget: there is no such field"),
        ("version: 1\nbudgets:\n  - {scope: user, period: day}", "line 3: budgets[0].usd: is missing"),
        (
            "version: 1\nbudgets:\n  - {scope: user, period: day, usd: 1}\n  - {scope: team, period: day, usd: 1}",
            "line 4: budgets[1].scope: ",
        ),
        ("version: 1\nbudgets:\n  - {scope: user, period: week, usd: 1}", "line 3: budgets[0].period: "),
        ("version: 1\nbudgets:\n  - {scope: user, period: day, usd: -1}", "line 3: budgets[0].usd: must be from 0"),
        ("version: 1\nbudgets:\n  - {scope: user, period: day, usd: 0.0000001}", "must have at most 6 decimals"),
        ("version: 1\nbudgets:\n  - {scope: user, period: day, usd: .inf}", "must be a number such as"),
        ("version: 1\nbudgets:\n  - {scope: user, period: day, usd: yes}", "must be a number such as"),
        ("version: 1\nbudgets:\n  - {scope: user, subject: '', period: day, usd: 1}", "line 3: budgets[0].subject: "),
        (
            "version: 1\nbudgets:\n  - {scope: conversation, subject: c1, period: day, usd: 1}",
            "line 3: budgets[0]: a budget of conversations is for each one of its own",
        ),
        (
            "version: 1\nbudgets:\n  - {scope: organisation, organisation: acme, period: day, usd: 1}",
            "names it as its `subject`",
        ),
        (
            "version: 1\nbudgets:\n  - {scope: user, period: day, usd: 1}\n  - {scope: user, period: day, usd: 2}",
            "line 4: budgets[1]: limits the same as budgets[0]",
        ),
        (
            (
                "version: 1\nrate_limits:\n  - {scope: user, tokens_per_minute: 5}\n"
                "  - {scope: user, requests_per_minute: 5, tokens_per_minute: 6}"
            ),
            "line 4: rate_limits[1]: limits the same as rate_limits[0]",
        ),
        ("version: 1\nrate_limits:\n  - {scope: user}", "line 3: rate_limits[0]: needs requests_per_minute or"),
        ("version: 1\nrate_limits:\n  - {scope: conversation, requests_per_minute: 5}", "rate_limits[0].scope: "),
        ("version: 1\nrate_limits:\n  - {scope: user, requests_per_minute: 0}", "rate_limits[0].requests_per_minute: "),
        ("version: 1\nrate_limits:\n  - {scope: user, requests_per_minute: 1.5}", "rate_limits[0].requests_per_min"),
        ("version: 1\nbudgets: {a: 1}", "line 2: budgets: "),
        ("version: 1\nbudgets: [", "line "),
        ("- 1", "line 1: must be a mapping"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line_and_path(text: str, says: str) -> None:
    assert says in refused(text)


def test_the_most_exact_limit_applies_for_each_scope_and_period() -> None:
    def budget(limit: int, subject: str = "*", org_id: str = "*", **changes: object) -> BudgetLimit:
        return BudgetLimit(
            **{"scope": Scope.USER, "period": Period.DAY, **changes},
            subject=subject,
            org_id=org_id,
            limit_micro_usd=limit,
        )

    everything = [
        budget(1),
        budget(2, org_id="acme"),
        budget(3, "ann"),
        budget(4, "ann", "acme"),
        budget(5, "bob"),
        budget(6, org_id="other"),
        budget(7, period=Period.MONTH),
        budget(8, scope=Scope.KEY),
        budget(9, scope=Scope.CONVERSATION),
    ]

    def found(limits: list[BudgetLimit], user: str, org_id: str) -> list[int]:
        own = {Scope.ORGANISATION: org_id, Scope.USER: user, Scope.KEY: "k"}
        return sorted(limit.limit_micro_usd for limit in applicable(limits, org_id, own))

    for ordered in (everything, everything[::-1]):
        assert found(ordered, "ann", "acme") == [4, 7, 8]
        assert found(ordered, "ann", "else") == [3, 7, 8]
        assert found(ordered, "cid", "acme") == [2, 7, 8]
        assert found(ordered, "bob", "acme") == [5, 7, 8]
        assert found(ordered, "cid", "else") == [1, 7, 8]
