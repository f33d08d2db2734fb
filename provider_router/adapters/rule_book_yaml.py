"""Routing rules from files, taken again whenever they change."""

from __future__ import annotations

from pathlib import Path

from provider_router.adapters.yaml_file.file_set import FileSet
from provider_router.adapters.yaml_file.rules_reader import ORGANISATIONS, Rules, RulesReader, closed_rules
from provider_router.adapters.yaml_file.watched_files import WatchedFiles
from provider_router.domain.rulebook.rules import RuleSet

PLATFORM_FILE = "routing/platform.yaml"
ORGANISATION_FILES = f"routing/{ORGANISATIONS}/*.yaml"


def rule_files(folder: Path, poll_s: float) -> WatchedFiles[Rules]:
    """The files of rules in `folder`, looked at every `poll_s` seconds.

    They may all be missing: then the built-in rules are in force. Until they were looked at, and while they were never
    good, everything is forbidden.
    """
    files = FileSet(folder, (PLATFORM_FILE, ORGANISATION_FILES))
    return WatchedFiles(files, RulesReader(PLATFORM_FILE), Rules(closed_rules()), poll_s=poll_s)


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

    def error(self, org_id: str = "") -> str:
        """See `RuleBook.error`."""
        error = self._files.current().error
        is_of_another = error.startswith(f"routing/{ORGANISATIONS}/") and not error.startswith(
            f"routing/{ORGANISATIONS}/{org_id}.yaml "
        )
        return "routing: the rules of another organisation are wrong" if is_of_another else error
