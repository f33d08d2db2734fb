"""Routing rules from files, taken again whenever they change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from provider_router.adapters.yaml_file.file_set import FileSet
from provider_router.adapters.yaml_file.rules_reader import ORGANISATIONS, Rules, RulesReader, closed_rules
from provider_router.adapters.yaml_file.watched_files import WatchedFiles
from provider_router.domain.configuration.problem import ConfigurationProblem
from provider_router.domain.rulebook.rules import RuleSet
from shared.clock import Clock

PLATFORM_FILE = "routing/platform.yaml"
_FOLDER = f"routing/{ORGANISATIONS}/"
_NOT_READ = "they could not be read yet; `nexus providers list` says why"


def rule_files(folder: Path, poll_s: float, clock: Clock | None = None) -> WatchedFiles[Rules]:
    """The files of rules in `folder`, looked at every `poll_s` seconds.

    They may all be missing: then the built-in rules are in force. Until they were looked at, and while they were never
    good, everything is forbidden (`RulesReader` says to whom).
    """
    files = FileSet(folder, (PLATFORM_FILE, f"{_FOLDER}*.yaml"))
    initial = Rules(closed_rules(_NOT_READ))
    return WatchedFiles(
        files, RulesReader(PLATFORM_FILE), initial, poll_s=poll_s, left_out=lambda rules: rules.wrong, clock=clock
    )


class YamlRuleBook:
    """Implements `RuleBook`.

    Args:
        files: That somebody else loads and watches.
    """

    def __init__(self, files: WatchedFiles[Rules]) -> None:
        self._files = files

    def of(self, org_id: str) -> RuleSet:
        """The rules of `org_id`; the platform's where it has none of its own."""
        rules = self._files.current().value
        return rules.organisations.get(org_id, rules.platform)

    def problems(self, org_id: str = "", *, of_all: bool = False) -> Sequence[ConfigurationProblem]:
        """See `RuleBook.problems`."""
        own = f"{_FOLDER}{org_id}.yaml"
        found = self._files.current().problems
        if of_all:
            return found
        of_others = [each for each in found if each.file.startswith(_FOLDER) and each.file != own]
        shown = [each for each in found if each not in of_others]
        if of_others:
            since = min(each.since for each in of_others)
            shown.append(ConfigurationProblem(_FOLDER, 0, "the rules of another organisation are wrong", since))
        return shown
