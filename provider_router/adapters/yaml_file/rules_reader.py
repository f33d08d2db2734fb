"""Turns the files of routing rules into rule sets: the platform's, and each organisation's over it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from provider_router.adapters.cedar.policy import Layer, Policy, check_overrides, policies_in
from provider_router.adapters.yaml_file.located_yaml import RefusedFileError, WrongFile
from provider_router.adapters.yaml_file.rules_schema import (
    PreferenceForm,
    RequirementForm,
    RulesFile,
    ServicesForm,
    TierForm,
    WhenForm,
)
from provider_router.adapters.yaml_file.source_file import SourceFile
from provider_router.adapters.yaml_file.validated import validated
from provider_router.domain.contracts.contract import DataClass
from provider_router.domain.rulebook.rules import Preference, Requirement, RuleSet, Services, Tier, When
from provider_router.domain.rulebook.rules_document import with_digest
from provider_router.domain.rulebook.tiers import BUILT_IN, DEFAULT_TIER
from shared.cedar.written_policy import WrongPolicyError

ORGANISATIONS = "organisations"
_CLOSED = '@id("no-rules-were-good-yet")\nforbid (principal, action, resource);\n'
_ORG_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules in force.

    Attributes:
        platform: For organisations without rules of their own.
        organisations: For the others, by id.
        wrong: The files whose newest content is not in force.
    """

    platform: RuleSet
    organisations: Mapping[str, RuleSet] = field(default_factory=dict[str, RuleSet])
    wrong: tuple[WrongFile, ...] = ()


class RulesReader:
    """Reads the files, and gives the very objects of before where nothing in them changed.

    Each file stands for itself, so that one organisation's mistake is nobody else's trouble. While the newest content
    of one is wrong, what it said before holds, over the newest of the platform; where that cannot be, the
    organisation's rules of before. A file that was wrong from the very start says nothing, so it forbids everything: an
    organisation's to that organisation, the platform's to all.

    Args:
        platform_file: Name of the platform's file among those that are read.
    """

    def __init__(self, platform_file: str) -> None:
        self._platform_file = platform_file
        self._before = Rules(built_in_rules())
        # Of what was good: the platform's rules, and the organisations' files by id; None for no file.
        self._platform: RuleSet | None = None
        self._good: dict[str, SourceFile | None] = {}
        self._is_first = True

    def __call__(self, sources: Mapping[str, SourceFile]) -> Rules:
        """The rules in `sources`, which are given by name. Never raises for wrong ones: they are named in the rules."""
        wrong: list[WrongFile] = []
        platform = self._platform_rules(sources.get(self._platform_file), wrong)
        own = {_stem(name): source for name, source in sources.items() if name != self._platform_file}
        self._good = {org_id: source for org_id, source in self._good.items() if org_id in own}
        organisations = {
            org_id: self._same(self._organisation_rules(source, org_id, platform, wrong))
            for org_id, source in own.items()
        }
        self._before = Rules(self._same(platform), organisations, tuple(wrong))
        self._is_first = False
        return self._before

    def _platform_rules(self, source: SourceFile | None, wrong: list[WrongFile]) -> RuleSet:
        try:
            self._platform = built_in_rules() if source is None else read_platform_rules(source)
        except RefusedFileError as error:
            wrong.append(error.wrong_file())
        return self._platform or closed_rules(str(wrong[0]))

    def _organisation_rules(
        self, source: SourceFile, org_id: str, platform: RuleSet, wrong: list[WrongFile]
    ) -> RuleSet:
        try:
            rules = read_organisation_rules(source, org_id, platform)
        except RefusedFileError as error:
            wrong.append(error.wrong_file())
            return self._instead(org_id, platform, str(wrong[-1]))
        self._good[org_id] = source
        return rules

    def _instead(self, org_id: str, platform: RuleSet, problem: str) -> RuleSet:
        """What holds for an organisation whose file is wrong."""
        if not self._is_first and org_id not in self._before.organisations:
            self._good[org_id] = None
        if org_id in self._good:
            good, before = self._good[org_id], self._before.organisations.get(org_id)
            try:
                return platform if good is None else read_organisation_rules(good, org_id, platform)
            except RefusedFileError:
                # It lifts what the platform lets nobody lift any more, or names a tier that went.
                if before is not None and not before.closed_by:
                    return before
        return closed_rules(problem, org_id, platform)

    def _same(self, rules: RuleSet) -> RuleSet:
        """The rule set of before, where it has the same content."""
        before = self._before.organisations.get(rules.org_id) if rules.org_id else self._before.platform
        is_same = before is not None and (before.digest, before.closed_by) == (rules.digest, rules.closed_by)
        return before if before is not None and is_same else rules


def built_in_rules() -> RuleSet:
    """The rules in force where there is no file: three tiers, and everything permitted."""
    return with_digest(RuleSet("", "", "", (), (), BUILT_IN, DEFAULT_TIER, DataClass.INTERNAL, ""))


def closed_rules(problem: str, org_id: str = "", platform: RuleSet | None = None) -> RuleSet:
    """Rules that forbid everything, for whoever's real ones are not known because of `problem`.

    Args:
        problem: With file and line.
        org_id: For one organisation alone, over the rules of `platform`.
        platform: The platform's rules; None when they are what is not known.
    """
    if platform is None:
        return with_digest(replace(built_in_rules(), platform_policies=_CLOSED, closed_by=problem))
    closed_by = platform.closed_by or problem
    return with_digest(replace(platform, org_id=org_id, org_policies=_CLOSED, closed_by=closed_by))


def read_platform_rules(source: SourceFile) -> RuleSet:
    """The rules of the platform alone. Raises RefusedFileError."""
    return _layered(source, Layer.PLATFORM, "", built_in_rules())


def read_organisation_rules(source: SourceFile, org_id: str, platform: RuleSet) -> RuleSet:
    """The rules of an organisation, over those of the platform. Raises RefusedFileError."""
    if _ORG_ID.fullmatch(org_id) is None:
        with source.blamed():
            raise RefusedFileError(1, "the file must have the name of an organisation's id")
    return _layered(source, Layer.ORGANISATION, org_id, platform)


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _layered(source: SourceFile, layer: Layer, org_id: str, beneath: RuleSet) -> RuleSet:
    file = validated(source, RulesFile)
    with source.blamed():
        policies = _policies(source, file, layer, beneath)
        tiers = {**beneath.tiers, **{name: _tier(name, form, beneath.tiers) for name, form in file.tiers.items()}}
        _check_ids(source, file)
        _check_tiers(source, file, tiers)
    defaults = file.defaults
    is_platform = layer is Layer.PLATFORM
    data_class = defaults.data_class
    return with_digest(
        RuleSet(
            org_id=org_id,
            platform_policies=file.policies if is_platform else beneath.platform_policies,
            org_policies="" if is_platform else file.policies,
            requirements=(*beneath.requirements, *(_requirement(form) for form in file.requirements)),
            preferences=_resolved(beneath.preferences, [_preference(form) for form in file.preferences]),
            tiers=tiers,
            default_tier=defaults.tier or beneath.default_tier,
            default_data_class=DataClass[data_class.name] if data_class else beneath.default_data_class,
            digest="",
            policy_reads=beneath.policy_reads.union(*(policy.reads for policy in policies)),
            closed_by=beneath.closed_by,
        )
    )


def _policies(source: SourceFile, file: RulesFile, layer: Layer, beneath: RuleSet) -> tuple[Policy, ...]:
    try:
        policies = policies_in(file.policies, layer)
        check_overrides(policies, policies_in(beneath.platform_policies, Layer.PLATFORM))
    except WrongPolicyError as error:
        raise _misplaced(source, file.policies, error) from error
    return policies


def _misplaced(source: SourceFile, text: str, error: WrongPolicyError) -> RefusedFileError:
    """`error`, which is about `text`, in terms of its file."""
    # The text of a block begins on the line after its key; a text of one line stands beside it.
    line = source.located.line_of(("policies",)) + ("\n" in text) + error.line
    shown, said = source.line(line), text.split("\n")[error.line]
    # A folded text has other lines than its file: then nobody knows the column.
    begin = shown.find(said) if said else -1
    column = f" (column {begin + error.column + 1})" if begin >= 0 and error.column is not None else ""
    return RefusedFileError(line, f"policies: {error}{column}")


def _check_ids(source: SourceFile, file: RulesFile) -> None:
    for key, rules in (("requirements", file.requirements), ("preferences", file.preferences)):
        ids = [rule.id for rule in rules]
        for index, rule_id in enumerate(ids):
            if rule_id in ids[:index]:
                raise source.located.wrong((key, index, "id"), f"the id '{rule_id}' stands twice")


def _check_tiers(source: SourceFile, file: RulesFile, tiers: Mapping[str, Tier]) -> None:
    default = file.defaults.tier
    if default is not None and default not in tiers:
        raise source.located.wrong(("defaults", "tier"), f"there is no tier '{default}'")
    for key, rules in (("requirements", file.requirements), ("preferences", file.preferences)):
        for index, rule in enumerate(rules):
            for place, name in enumerate(rule.when.tiers):
                if name not in tiers:
                    raise source.located.wrong((key, index, "when", "tiers", place), f"there is no tier '{name}'")


def _resolved(platform: Sequence[Preference], own: Sequence[Preference]) -> tuple[Preference, ...]:
    """Of several preferences with one id the one with the highest priority; at equal priority the later one."""
    resolved: dict[str, Preference] = {}
    for rule in (*platform, *own):
        before = resolved.get(rule.id)
        if before is None or rule.priority >= before.priority:
            resolved[rule.id] = rule
    return tuple(resolved.values())


def _requirement(form: RequirementForm) -> Requirement:
    return Requirement(form.id, form.priority, _when(form.when), _services(form.services))


def _preference(form: PreferenceForm) -> Preference:
    return Preference(form.id, form.priority, _when(form.when), _services(form.services), form.strength)


def _when(form: WhenForm) -> When:
    return When(
        tiers=frozenset(form.tiers),
        task_classes=frozenset(form.task_classes),
        data_classes=frozenset(DataClass[each.name] for each in form.data_classes),
        roles=frozenset(form.roles),
        min_complexity_ppm=form.min_complexity,
        max_complexity_ppm=form.max_complexity,
        needs_tools=form.needs_tools,
    )


def _services(form: ServicesForm) -> Services:
    return Services(form.names, frozenset(form.tags), dict(form.traits), form.on_premises, form.demonstration)


def _tier(name: str, form: TierForm, beneath: Mapping[str, Tier]) -> Tier:
    """The tier in `form`; what it leaves out comes from the one beneath of that name, or from the default tier."""
    below = beneath.get(name) or replace(BUILT_IN[DEFAULT_TIER], name=name)
    weights = replace(below.weights, **_given(form.weights.model_dump()))
    renamed = {"cost_reference_usd": "cost_reference_micro_usd", "min_quality": "min_quality_ppm"}
    fields = _given(form.model_dump(exclude={"weights"}))
    return replace(below, weights=weights, **{renamed.get(key, key): value for key, value in fields.items()})


def _given(fields: dict[str, int | bool | None]) -> dict[str, int | bool]:
    return {key: value for key, value in fields.items() if value is not None}
