"""What is wrong in the rules of one organisation is nobody else's to read."""

from __future__ import annotations

from pathlib import Path

from provider_router.adapters.rule_book_yaml import YamlRuleBook, rule_files

WRONG = "version: 1\ndefaults: {tier: our-secret-project}\n"


async def test_an_error_names_the_organisation_to_itself_alone(tmp_path: Path) -> None:
    own = tmp_path / "routing" / "organisations" / "acme.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(WRONG, encoding="utf-8")
    files = rule_files(tmp_path, 60)
    await files.load()
    book = YamlRuleBook(files)
    [own_problem] = book.problems("acme")
    assert "our-secret-project" in own_problem.message
    for other in ("", "evil", "acm", "acme.yaml", "acme.yaml line"):
        [problem] = book.problems(other)
        assert (problem.line, problem.since) == (0, own_problem.since)
        assert "acme" not in str(problem)
        assert "secret" not in str(problem)
