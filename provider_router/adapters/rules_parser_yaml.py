"""Rules that somebody wants to try, in the form of the platform's file."""

from __future__ import annotations

from provider_router.adapters.yaml_file.located_yaml import RefusedFileError
from provider_router.adapters.yaml_file.rules_reader import read_platform_rules
from provider_router.adapters.yaml_file.source_file import SourceFile
from provider_router.domain.errors import Reason, failure
from provider_router.domain.rulebook.rules import RuleSet


class YamlRulesParser:
    """Implements `RulesParser`."""

    def parse(self, text: str) -> RuleSet:
        """The rules in `text`."""
        try:
            return read_platform_rules(SourceFile("rules", text.encode()))
        except RefusedFileError as error:
            raise failure(Reason.RULES_INVALID, f"The rules are wrong: {error}.") from error
