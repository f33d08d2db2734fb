"""Composition root of the provider router."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import timedelta

from provider_router.adapters.affinity_memory import MemoryAffinity
from provider_router.adapters.attempt_observer_otel import OtelAttemptObserver
from provider_router.adapters.cache_observer_metrics import MetricsCacheObserver
from provider_router.adapters.call_opener_sqlite import SqliteCallOpener
from provider_router.adapters.call_opener_stepwise import StepwiseCallOpener
from provider_router.adapters.configuration_files import configuration_files
from provider_router.adapters.configuration_problems_watched import WatchedProblems
from provider_router.adapters.continuation_prompt import continuation_instruction
from provider_router.adapters.decision_log_sqlite import SqliteDecisionLog
from provider_router.adapters.deployment_metrics import DeploymentGauges
from provider_router.adapters.deployments_memory import MemoryDeployments
from provider_router.adapters.health_prober import HealthProber
from provider_router.adapters.http.client import HttpClient
from provider_router.adapters.ledger_metered import MeteredCallOpener, MeteredLedger
from provider_router.adapters.ledger_sqlite import SqliteLedger
from provider_router.adapters.limit_book_yaml import YamlLimitBook
from provider_router.adapters.local_embedder_bounded import BoundedLocalEmbedder
from provider_router.adapters.local_embedder_kept import KeptLocalEmbedder
from provider_router.adapters.local_embedder_registry import RegistryLocalEmbedder
from provider_router.adapters.model_source_http import HttpModelSource
from provider_router.adapters.policy_evaluator_cedar import CedarPolicyEvaluator
from provider_router.adapters.probe_http import HttpProbe
from provider_router.adapters.rate_limiter_memory import MemoryRateLimiter
from provider_router.adapters.rate_limiter_sqlite import SqliteRateLimiter
from provider_router.adapters.response_cache_memory import MemoryResponseCache
from provider_router.adapters.response_cache_sqlite import SqliteResponseCache
from provider_router.adapters.rewards_sqlite import SqliteRewards
from provider_router.adapters.router_presence import RouterPresence
from provider_router.adapters.rule_book_yaml import YamlRuleBook, rule_files
from provider_router.adapters.rules_parser_yaml import YamlRulesParser
from provider_router.adapters.service_registry_sqlite import SqliteServiceRegistry
from provider_router.adapters.state_board_memory import MemoryStateBoard
from provider_router.adapters.task_estimator_embedding import EmbeddingTaskEstimator
from provider_router.adapters.token_counter_estimated import EstimatedTokenCounter
from provider_router.adapters.yaml_file.provider_reader import LocalAddresses
from provider_router.adapters.yaml_file.rules_reader import Rules
from provider_router.adapters.yaml_file.watched_files import WatchedFiles
from provider_router.domain.engine.engine import DecisionEngine
from provider_router.domain.traffic.retry_budget import RetryBudgets
from provider_router.ports.call_opener import CallOpener
from provider_router.ports.rate_limiter import RateLimiter
from provider_router.ports.response_cache import ResponseCache
from provider_router.servicer.decision_servicer import DecisionUseCases
from provider_router.servicer.http.edge import HttpUseCases, http_edges
from provider_router.servicer.ledger_servicer import LedgerUseCases
from provider_router.servicer.registrations import registrations
from provider_router.servicer.registry_servicer import RegistryUseCases
from provider_router.servicer.router_servicer import RouterUseCases
from provider_router.settings import Settings, SettingsCredentials
from provider_router.use_cases.admit_answers import AdmitAnswers
from provider_router.use_cases.admit_call import AdmitCall
from provider_router.use_cases.answer_chat import AnswerChat
from provider_router.use_cases.answer_from_cache import AnswerFromCache, CacheParts
from provider_router.use_cases.attempt_desk import AttemptDesk, Ports
from provider_router.use_cases.chat_run import Means
from provider_router.use_cases.complete_chat import CompleteChat
from provider_router.use_cases.count_tokens import CountTokens
from provider_router.use_cases.decide_embedding import DecideEmbedding
from provider_router.use_cases.decide_route import DecideRoute
from provider_router.use_cases.deregister_contract import DeregisterContract
from provider_router.use_cases.embed_texts import EmbedMeans, EmbedTexts
from provider_router.use_cases.explain_route import ExplainRoute
from provider_router.use_cases.find_troubles import FindTroubles
from provider_router.use_cases.get_decision import GetDecision
from provider_router.use_cases.invalidate_cache import InvalidateCache
from provider_router.use_cases.list_attempts import ListAttempts
from provider_router.use_cases.list_budgets import ListBudgets
from provider_router.use_cases.list_contracts import ListContracts
from provider_router.use_cases.list_decisions import ListDecisions
from provider_router.use_cases.list_models import ListModels
from provider_router.use_cases.list_providers import ListProviders
from provider_router.use_cases.long_work import LongWork
from provider_router.use_cases.loose_ends import LooseEnds
from provider_router.use_cases.pace_retries import PaceRetries
from provider_router.use_cases.prune_decisions import PruneDecisions, Retention
from provider_router.use_cases.read_features import ReadFeatures
from provider_router.use_cases.recover_attempts import RecoverAttempts
from provider_router.use_cases.register_contract import RegisterContract
from provider_router.use_cases.replay_decisions import ReplayDecisions
from provider_router.use_cases.replay_imported import ReplayImported
from provider_router.use_cases.replay_recorded import ReplayRecorded
from provider_router.use_cases.report_outcome import ReportOutcome
from provider_router.use_cases.see_world import SeeWorld
from provider_router.use_cases.summarize_usage import SummarizeUsage
from provider_router.use_cases.update_contract import UpdateContract
from provider_router.use_cases.verify_chain import VerifyChain
from provider_router.use_cases.verify_decision import VerifyDecision
from provider_router.use_cases.watch_contracts import WatchContracts
from shared.server import Dependencies, Service, supervised
from shared.storage import Database, GroupCommit

_ENDS_S = 5.0
"""How long the router's end waits for attempts that were given up to be settled."""


@dataclass(frozen=True, slots=True)
class _Store:
    """The database: `writer` for the hot path, `database` for all else."""

    database: Database
    writer: GroupCommit
    presence: RouterPresence


@dataclass(frozen=True, slots=True)
class _Knowledge:
    """What is configured and registered, each of which is loaded and watched."""

    registry: SqliteServiceRegistry
    rule_files: WatchedFiles[Rules]
    rules: YamlRuleBook
    limits: YamlLimitBook
    problems: WatchedProblems
    rewards: SqliteRewards


@dataclass(frozen=True, slots=True)
class _Providers:
    """How providers are reached, and what is seen of them.

    `hasty` embeds, or refuses, while a request waits; `patient` keeps what it embedded.
    """

    client: HttpClient
    models: HttpModelSource
    deployments: MemoryDeployments
    prober: HealthProber
    embedder: RegistryLocalEmbedder
    patient: KeptLocalEmbedder
    hasty: BoundedLocalEmbedder


@dataclass(frozen=True, slots=True)
class _Decisions:
    """How calls are decided over."""

    explain: ExplainRoute
    embedding: DecideEmbedding
    log: SqliteDecisionLog
    estimator: EmbeddingTaskEstimator
    counter: EstimatedTokenCounter
    affinity: MemoryAffinity


@dataclass(frozen=True, slots=True)
class _Money:
    """What calls cost, and who may make them."""

    ledger: MeteredLedger
    limiter: RateLimiter
    opener: CallOpener
    admit: AdmitCall


@dataclass(frozen=True, slots=True)
class _Parts:
    """All of it, and the work that calls leave behind."""

    store: _Store
    knowledge: _Knowledge
    providers: _Providers
    decisions: _Decisions
    money: _Money
    cache: ResponseCache
    cache_observer: MetricsCacheObserver
    ends: LooseEnds


def build(settings: Settings, deps: Dependencies) -> Service:
    """Wires the router."""
    parts = _parts(settings, deps)
    store, knowledge, providers, money = parts.store, parts.knowledge, parts.providers, parts.money
    recover = RecoverAttempts(money.ledger)
    retention = Retention(timedelta(days=settings.decisions_kept_days), settings.decisions_kept)
    prune = PruneDecisions(parts.decisions.log, deps.clock, retention)
    router = _router_use_cases(settings, deps, parts)
    count_tokens = CountTokens(knowledge.registry, parts.decisions.counter)
    surfaces = HttpUseCases(router, knowledge.registry, knowledge.rules, count_tokens)

    async def start() -> None:
        await store.database.open()
        store.presence.announce()
        await store.writer.start()
        await knowledge.rule_files.load()
        await knowledge.limits.load()
        await knowledge.registry.load()
        await knowledge.rewards.load()
        await recover()
        parts.cache_observer.holds(await parts.cache.size())
        await providers.client.start()

    async def halt() -> None:
        parts.ends.is_stopping = True

    async def stop() -> None:
        await parts.ends.tied(_ENDS_S)
        await providers.client.stop()
        await store.writer.stop()
        store.presence.withdraw()
        await store.database.close()

    return Service(
        name="router",
        registrations=registrations(
            router,
            _registry_use_cases(parts),
            _decision_use_cases(deps, parts),
            _ledger_use_cases(deps, parts),
        ),
        start=start,
        halt=halt,
        stop=stop,
        background=[
            supervised("registry", knowledge.registry.watch),
            supervised("rules", knowledge.rule_files.watch),
            supervised("limits", knowledge.limits.watch),
            supervised("rewards", knowledge.rewards.watch),
            supervised("probes", providers.prober.run),
            supervised("gauges", DeploymentGauges(providers.deployments, knowledge.registry).run),
            supervised("estimator", parts.decisions.estimator.watch),
            supervised("recovery", recover.watch),
            supervised("pruning", prune.watch),
        ],
        edges=http_edges(settings.http, surfaces, deps),
    )


def _parts(settings: Settings, deps: Dependencies) -> _Parts:
    store = _store(settings, deps)
    knowledge = _knowledge(settings, deps, store)
    providers = _providers(settings, deps, knowledge)
    stored = SqliteLedger(store.database, store.writer, knowledge.limits, store.presence, deps.clock)
    ledger = MeteredLedger(stored, deps.clock)
    decisions = _decisions(deps, store, knowledge, providers, ledger)
    if settings.shared_rate_limits:
        limiter = SqliteRateLimiter(store.writer, deps.clock)
        opener = MeteredCallOpener(SqliteCallOpener(store.writer, decisions.log, limiter, stored), deps.clock)
    else:
        limiter = MemoryRateLimiter(deps.clock)
        opener = StepwiseCallOpener(decisions.log, limiter, ledger)
    return _Parts(
        store,
        knowledge,
        providers,
        decisions,
        _Money(ledger, limiter, opener, AdmitCall(knowledge.limits, limiter)),
        _cache(settings, store),
        MetricsCacheObserver(),
        LooseEnds(),
    )


def _cache(settings: Settings, store: _Store) -> ResponseCache:
    if settings.shared_cache:
        return SqliteResponseCache(store.database, store.writer, settings.cache_bounds)
    return MemoryResponseCache(settings.cache_bounds)


def _store(settings: Settings, deps: Dependencies) -> _Store:
    path = settings.data_dir / "db" / "router.sqlite"
    database = Database(path, "provider_router.adapters.migrations")
    writer = GroupCommit(path, synchronous="FULL" if settings.survives_power_cuts else "NORMAL")
    return _Store(database, writer, RouterPresence(path, deps.new_id()))


def _knowledge(settings: Settings, deps: Dependencies, store: _Store) -> _Knowledge:
    local = LocalAddresses(settings.local_chat_url, settings.local_embed_url)
    folder = settings.providers_file.parent
    files = configuration_files(settings.providers_file, local, settings.reload_s, deps.clock)
    rules = rule_files(folder, settings.reload_s, deps.clock)
    book, limits = YamlRuleBook(rules), YamlLimitBook(folder, settings.reload_s, deps.clock)
    registry = SqliteServiceRegistry(store.database, files, deps.clock, settings.reload_s)
    return _Knowledge(
        registry=registry,
        rule_files=rules,
        rules=book,
        limits=limits,
        problems=WatchedProblems(registry, book, limits),
        rewards=SqliteRewards(store.database, store.writer),
    )


def _providers(settings: Settings, deps: Dependencies, knowledge: _Knowledge) -> _Providers:
    client = HttpClient(settings.limits, deps.clock)
    credentials = SettingsCredentials(settings.local_key_file)
    deployments = MemoryDeployments(credentials, deps.clock, random.random, settings.health)
    models = HttpModelSource(client, credentials)
    prober = HealthProber(
        knowledge.registry,
        deployments,
        HttpProbe(client, credentials),
        deps.clock,
        random.random,
        settings.probes,
    )
    embedder = RegistryLocalEmbedder(knowledge.registry, models)
    hasty = BoundedLocalEmbedder(embedder, deps.clock, timeout_s=settings.estimate_timeout_s)
    patient = KeptLocalEmbedder(embedder, settings.data_dir / "cache" / "task_sentences.vectors")
    return _Providers(client, models, deployments, prober, embedder, patient, hasty)


def _decisions(
    deps: Dependencies, store: _Store, knowledge: _Knowledge, providers: _Providers, ledger: MeteredLedger
) -> _Decisions:
    estimator = EmbeddingTaskEstimator(providers.patient, providers.hasty)
    counter = EstimatedTokenCounter()
    affinity = MemoryAffinity()
    board = MemoryStateBoard(knowledge.registry, providers.deployments, knowledge.rewards, deps.clock)
    see_world = SeeWorld(knowledge.registry, knowledge.rules, board)
    engine, log = _new_engine(), SqliteDecisionLog(store.database, store.writer)
    explain = ExplainRoute(see_world, ReadFeatures(counter, estimator, ledger, affinity), engine, deps.clock)
    embedding = DecideEmbedding(see_world, counter, ledger, engine, log, (deps.clock, deps.new_id))
    return _Decisions(explain, embedding, log, estimator, counter, affinity)


def _new_engine() -> DecisionEngine:
    return DecisionEngine(CedarPolicyEvaluator().verdicts)


def _router_use_cases(settings: Settings, deps: Dependencies, parts: _Parts) -> RouterUseCases:
    knowledge, providers, decisions, money = parts.knowledge, parts.providers, parts.decisions, parts.money
    observer = OtelAttemptObserver()
    desk = AttemptDesk(
        Ports(providers.deployments, money.limiter, money.opener, money.ledger, observer, deps.clock, deps.new_id)
    )
    retries = PaceRetries(RetryBudgets(), deps.clock, asyncio.sleep, random.random)
    means = Means(
        desk=desk,
        models=providers.models,
        counter=decisions.counter,
        retries=retries,
        ends=parts.ends,
        instruction=continuation_instruction(),
        most=settings.limits.of_call,
    )
    decide = DecideRoute(decisions.explain, knowledge.limits, money.opener, deps.new_id)
    embedder = BoundedLocalEmbedder(providers.embedder, deps.clock, timeout_s=settings.cache_embed_timeout_s)
    cache = CacheParts(parts.cache, knowledge.rules, knowledge.registry, embedder, parts.cache_observer, deps.clock)
    chat = AnswerChat(money.admit, decide, decisions.affinity, means)
    answers = AdmitAnswers(money.admit, AnswerFromCache(chat, cache, settings.cache_limits))
    troubles = FindTroubles(knowledge.registry, knowledge.problems, providers.models, providers.deployments)
    timeout_s = settings.embed_timeout_s
    embed_means = EmbedMeans(desk, providers.models, decisions.counter, retries, parts.ends, timeout_s)
    return RouterUseCases(
        complete_chat=CompleteChat(answers),
        answers=answers,
        embed_texts=EmbedTexts(knowledge.registry, money.admit, decisions.embedding, embed_means),
        list_models=ListModels(knowledge.registry, troubles, providers.models, deps.clock),
        list_providers=ListProviders(knowledge.registry, troubles, providers.deployments),
    )


def _registry_use_cases(parts: _Parts) -> RegistryUseCases:
    registry = parts.knowledge.registry
    return RegistryUseCases(
        register=RegisterContract(registry),
        update=UpdateContract(registry),
        deregister=DeregisterContract(registry),
        listed=ListContracts(registry, parts.providers.deployments),
        watch=WatchContracts(registry),
    )


def _decision_use_cases(deps: Dependencies, parts: _Parts) -> DecisionUseCases:
    knowledge, decisions, ledger = parts.knowledge, parts.decisions, parts.money.ledger
    # Replays have an engine of their own, so that they do not push out what live requests use again.
    replaying = _new_engine()
    turns = LongWork()
    return DecisionUseCases(
        admit=parts.money.admit,
        explain=decisions.explain,
        get=GetDecision(decisions.log, ledger),
        page=ListDecisions(decisions.log, ledger),
        verify=VerifyDecision(decisions.log, _new_engine),
        verify_all=VerifyChain(decisions.log, _new_engine, turns),
        report=ReportOutcome(decisions.log, ledger, knowledge.rewards),
        replay=ReplayDecisions(
            knowledge.registry,
            knowledge.rules,
            YamlRulesParser(),
            ReplayRecorded(decisions.log, knowledge.rewards, replaying),
            ReplayImported(replaying, decisions.estimator, decisions.counter, deps.clock),
            turns,
        ),
    )


def _ledger_use_cases(deps: Dependencies, parts: _Parts) -> LedgerUseCases:
    ledger = parts.money.ledger
    return LedgerUseCases(
        budgets=ListBudgets(ledger, parts.knowledge.limits),
        attempts=ListAttempts(ledger),
        summarize=SummarizeUsage(ledger, deps.clock),
        invalidate_cache=InvalidateCache(parts.cache, parts.cache_observer, deps.clock),
    )
