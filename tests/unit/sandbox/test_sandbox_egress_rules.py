from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox_service.domain.egress import AllowList, EgressGrant, EgressRule, granted, rule_of, target_of
from shared.errors import InvalidInput, PreconditionFailed

labels = st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z0-9]", fullmatch=True)
names = st.lists(labels, min_size=2, max_size=4).map(".".join)
ports = st.integers(1, 65535)


def allow(*rules: str, name: str = "NEXUS_SANDBOX_EGRESS_ALLOW") -> AllowList:
    return AllowList(name, tuple(map(rule_of, rules)))


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("Example.COM:443", ("example.com", 443)),
        ("example.com.:443", ("example.com", 443)),
        ("192.0.2.1:80", ("192.0.2.1", 80)),
        ("[2001:DB8::0:1]:80", ("2001:db8::1", 80)),
        ("a_b.example.com:65535", ("a_b.example.com", 65535)),
    ],
)
def test_a_target_has_one_form(text: str, target: tuple[str, int]) -> None:
    assert target_of(text) == target


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "example.com", "example.com:", ":443", "example.com:0", "example.com:65536", "example.com:0443"),
        *(
            "example.com:+443",
            "example.com:\uff14\uff14\uff13",
            "localhost:80",
            "2130706433:80",
            "0x7f.1:80",
            "127.1:80",
        ),
        *("0177.0.0.1:80", "::1:80", "[::1%lo]:80", "[example.com]:80", "user@example.com:80", "a..b:80", "*:443"),
        *("-a.example.com:80", "exa mple.com:80", "éxample.com:80", "example.com:443\n", "a.example.com\0:443"),
        *("http://example.com:80", "example.com/:80", f"{'a' * 64}.com:80", f"{'a.' * 127}com:80"),
    ],
)
def test_what_could_be_read_in_two_ways_is_no_target(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        target_of(text)


@pytest.mark.parametrize(
    "text", ["*.com:443", "*.*.example.com:443", "a.*.example.com:443", "*.10.0.0.1:80", "**.a.b:1"]
)
def test_a_pattern_stands_for_names_below_a_full_one(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        rule_of(text)


@settings(max_examples=25)
@given(names, names, ports)
def test_a_pattern_covers_what_is_below_its_name_and_nothing_else(below: str, name: str, port: int) -> None:
    rule = EgressRule(f"*.{name}", port)
    assert rule.covers(f"{below}.{name}", port)
    assert rule.covers(f"*.{below}.{name}", port)
    assert not rule.covers(name, port)
    assert not rule.covers(f"{below}{name}", port) or f".{below}{name}".endswith(f".{name}")
    assert not rule.covers(f"{below}.{name}", port % 65535 + 1)
    assert not rule.covers(f"{name}.{below}x", port)


@settings(max_examples=25)
@given(st.lists(st.tuples(names, ports), max_size=4), st.lists(st.tuples(names, ports), max_size=4))
def test_a_grant_is_all_that_was_wanted_where_each_list_names_all_of_it(
    listed: list[tuple[str, int]], narrower: list[tuple[str, int]]
) -> None:
    both = AllowList("one", tuple(EgressRule(*each) for each in (*listed, *narrower)))
    second = AllowList("two", tuple(EgressRule(*each) for each in narrower))
    wanted = [f"{host}:{port}" for host, port in narrower]
    grant = granted(wanted, both, second)
    assert all(grant.allows(host, port) for host, port in narrower)
    assert bool(grant) == bool(narrower)
    for host, port in listed:
        if (host, port) not in narrower:
            with pytest.raises(PreconditionFailed, match="two does not name it"):
                granted([f"{host}:{port}"], both, second)


def test_by_default_nothing_is_granted_and_the_error_names_the_setting() -> None:
    assert granted([], allow()) == EgressGrant()
    with pytest.raises(PreconditionFailed) as caught:
        granted(["api.example.com:443"], allow())
    assert caught.value.reason == "EGRESS_REFUSED"
    assert caught.value.metadata == {"target": "api.example.com:443", "allow_list": "NEXUS_SANDBOX_EGRESS_ALLOW"}
    assert "NEXUS_SANDBOX_EGRESS_ALLOW does not name it" in caught.value.message


def test_a_pattern_may_be_wanted_where_all_of_it_is_allowed() -> None:
    assert granted(["*.a.example.com:443"], allow("*.example.com:443")).allows("x.a.example.com", 443)
    with pytest.raises(PreconditionFailed):
        granted(["*.example.com:443"], allow("*.a.example.com:443", "b.example.com:443"))


def test_an_address_is_granted_only_where_it_is_listed() -> None:
    assert granted(["10.0.0.5:80"], allow("10.0.0.5:80")).allows("10.0.0.5", 80)
    with pytest.raises(PreconditionFailed):
        granted(["10.0.0.5:80"], allow("*.example.com:80"))


def test_each_malformed_target_is_named() -> None:
    with pytest.raises(InvalidInput, match="EGRESS_INVALID") as caught:
        granted(["a.example.com:1", "nonsense", "b.example.com"], allow("a.example.com:1"))
    assert [violation.field for violation in caught.value.violations] == ["egress[1]", "egress[2]"]
