"""The estimator: how good it is without a model, what it costs, and what never happens with one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from router_cache_fakes import FakeLocalEmbedder

from provider_router.adapters import task_estimator_embedding
from provider_router.adapters.task_classifier import TaskClassifier, embedded_part, prototypes
from provider_router.adapters.task_estimator_embedding import EmbeddingTaskEstimator
from provider_router.domain.calls.chat import ChatRequest, Message, Role, Tool
from provider_router.domain.contracts.contract import PPM
from provider_router.domain.tasks.estimate_task import FEATURES, FEATURES_AND_EMBEDDING, estimate_task
from provider_router.domain.tasks.task import TASK_CLASSES
from provider_router.domain.tasks.task_features import MOST_CLASS_POINTS, TaskFeatures, features_of
from shared.errors import UpstreamDown

HELD_OUT: Mapping[str, Sequence[str]] = yaml.safe_load(
    (Path(__file__).parents[2] / "data" / "router" / "task_examples_heldout.v1.yaml").read_text(encoding="utf-8")
)["examples"]
PAIRS = [(name, text) for name, texts in HELD_OUT.items() for text in texts]
COUNTS = st.integers(0, 10_000)
POINTS = st.tuples(*[st.integers(0, MOST_CLASS_POINTS)] * len(TASK_CLASSES))
FEATURES_DRAWN = st.builds(
    TaskFeatures,
    **{field.name: COUNTS for field in fields(TaskFeatures) if field.name not in ("points", "schema")},
    schema=st.integers(0, 1),
    points=POINTS,
)
LIKENESS = st.tuples(*[st.integers(-300_000, 1_200_000)] * len(TASK_CLASSES))


def asks(text: str, *before: Message, **changes: object) -> ChatRequest:
    return ChatRequest((*before, Message(Role.USER, text)), **changes)


def guess(text: str) -> str:
    return estimate_task(features_of(asks(text))).task_class


def test_the_held_out_set_is_apart_from_the_prototypes() -> None:
    known = {text.strip().lower() for texts in prototypes().values() for text in texts}

    assert list(HELD_OUT) == list(prototypes()) == list(TASK_CLASSES)
    assert min(len(set(texts)) for texts in HELD_OUT.values()) >= 15
    assert not known & {text.strip().lower() for _, text in PAIRS}


def test_features_alone_are_right_for_three_of_four_that_nobody_tuned_for() -> None:
    right = [name for name, text in PAIRS if guess(text) == name]

    # Measured 0.79; see docs/estimator.md.
    assert len(right) / len(PAIRS) >= 0.75
    assert {name for name in TASK_CLASSES if right.count(name) / len(HELD_OUT[name]) < 0.6} <= {"reasoning"}


def test_a_confident_estimate_is_a_good_one() -> None:
    made = [(estimate_task(features_of(asks(text))), name) for name, text in PAIRS]
    made.sort(key=lambda pair: pair[0].confidence_ppm, reverse=True)
    third = len(made) // 3
    shares = [
        sum(estimate.task_class == name for estimate, name in part) / third for part in (made[:third], made[-third:])
    ]

    assert shares[0] >= 0.9
    assert shares[0] > shares[1] + 0.2


def test_harder_classes_are_estimated_to_be_harder() -> None:
    def mean(name: str) -> float:
        return sum(estimate_task(features_of(asks(text))).complexity_ppm for text in HELD_OUT[name]) / len(
            HELD_OUT[name]
        )

    assert mean("general") < 60_000
    assert min(map(mean, ("code", "math", "reasoning", "agentic"))) > 2 * mean("general")


@given(FEATURES_DRAWN, LIKENESS | st.just(()))
def test_an_estimate_is_always_within_its_bounds(features: TaskFeatures, likeness: tuple[int, ...]) -> None:
    estimate = estimate_task(features, likeness)

    assert estimate.task_class in TASK_CLASSES
    assert 0 <= estimate.confidence_ppm <= PPM
    assert 0 <= estimate.complexity_ppm < PPM
    assert estimate.method == (FEATURES_AND_EMBEDDING if likeness else FEATURES)
    assert estimate == estimate_task(features, likeness)


@given(
    FEATURES_DRAWN, LIKENESS | st.just(()), st.sampled_from([f.name for f in fields(TaskFeatures)]), st.integers(0, 50)
)
def test_more_of_anything_never_makes_it_easier(
    features: TaskFeatures, likeness: tuple[int, ...], name: str, more: int
) -> None:
    if name == "points":
        harder = replace(features, points=tuple(value + more for value in features.points))
    else:
        harder = replace(features, **{name: getattr(features, name) + more})

    assert estimate_task(harder, likeness).complexity_ppm >= estimate_task(features, likeness).complexity_ppm


@given(
    st.sampled_from([text for _, text in PAIRS]), st.lists(st.sampled_from(["use only verbs", "no more than 9 lines"]))
)
def test_more_constraints_never_make_it_easier(text: str, constraints: list[str]) -> None:
    plain = estimate_task(features_of(asks(text))).complexity_ppm
    bound = text + "".join(f"\n- It must {each}." for each in constraints)

    assert estimate_task(features_of(asks(bound))).complexity_ppm >= plain


@given(st.integers(0, 6), st.integers(0, 6), st.booleans())
def test_more_tools_turns_and_a_schema_never_make_it_easier(tools: int, turns: int, schema: bool) -> None:
    def complexity(tools: int, turns: int, schema: bool) -> int:
        request = asks(
            "Find the cheapest flight.",
            *[Message(Role.USER, "Hi")] * turns,
            tools=(Tool("t", "", {}),) * tools,
            response_schema={} if schema else None,
        )
        return estimate_task(features_of(request)).complexity_ppm

    assert complexity(tools, turns, schema) >= complexity(0, 0, schema=False)
    assert complexity(tools + 1, turns + 1, schema=True) > complexity(tools, turns, schema)


@given(st.text(max_size=400), st.text(max_size=400))
def test_every_text_is_read(system: str, text: str) -> None:
    features = features_of(asks(text, Message(Role.SYSTEM, system)))

    assert all(0 <= value <= MOST_CLASS_POINTS for value in features.points)
    assert features.total_chars == len(system) + len(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("please look at this\n```\nx = [1]\nreturn x\n```", "code"),
        ("12 * (3 + 4) = ?", "math"),
        ("hello", "general"),
        ("", "general"),
    ],
)
def test_structure_is_seen(text: str, expected: str) -> None:
    assert guess(text) == expected


def test_tools_and_their_results_make_it_agentic() -> None:
    tool = Tool("t", "", {})
    last = Message(Role.TOOL, "ok", (), "c1")
    request = ChatRequest((Message(Role.USER, "do it"), Message(Role.ASSISTANT, "so"), last), tools=(tool,))

    assert estimate_task(features_of(request)).task_class == "agentic"


def test_instructions_before_count_and_the_last_message_counts_more() -> None:
    translator = Message(Role.SYSTEM, "You translate everything into German.")

    assert estimate_task(features_of(asks("The sun is out.", translator))).task_class == "translation"
    assert estimate_task(features_of(asks("Write a python function", translator))).task_class == "code"


def test_a_long_text_costs_no_more_than_a_page() -> None:
    def fastest(text: str, times: int) -> float:
        request, best = asks(text), 1.0
        for _ in range(times):
            began = time.thread_time()
            features_of(request)
            best = min(best, time.thread_time() - began)
        return best

    line = "What is the capital of Australia? It must say - 1.5 { x ^ 2 ; } \n"
    typical, long, huge = fastest(line * 2, 50), fastest(line * 80, 20), fastest(line * 8_000, 20)

    # 20 and 300 microseconds on an idle machine; a busy one gets some room.
    assert typical < 200e-6
    assert huge < 5e-3
    assert huge < 6 * long


@pytest.mark.parametrize(
    "hostile", ["(" * 50_000, "1" * 50_000, " " * 50_000, "a-" * 25_000, "\n- " * 20_000, "{" * 50_000]
)
def test_no_text_takes_long(hostile: str) -> None:
    began = time.thread_time()
    features_of(asks(hostile, Message(Role.SYSTEM, hostile)))

    assert time.thread_time() - began < 0.05


async def test_without_a_model_features_decide_and_the_method_says_so() -> None:
    for embedder in (
        FakeLocalEmbedder(name=""),
        FakeLocalEmbedder(error=UpstreamDown("PROVIDER_UNREACHABLE", "Down.")),
    ):
        estimator = EmbeddingTaskEstimator(embedder, embedder)
        await estimator.fit()
        request = asks("Write a haiku about rain.")

        assert await estimator.estimate(request) == estimate_task(features_of(request))
        assert (await estimator.estimate(request)).method == FEATURES


def directions() -> FakeLocalEmbedder:
    """Embeds each prototype in the direction of its class, and anything else as a poem."""
    axes = {name: tuple(float(name == other) for other in TASK_CLASSES) for name in TASK_CLASSES}
    known = {text: axes[name] for name, texts in prototypes().items() for text in texts}
    return FakeLocalEmbedder({**known, "zzz zzz zzz": axes["writing"], "qqq qqq": axes["math"]})


@pytest.fixture
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_estimator_embedding, "_BATCH_PAUSE_S", 0)


@pytest.mark.usefixtures("in_a_hurry")
async def test_the_vector_decides_where_no_word_does() -> None:
    embedder = directions()
    estimator = EmbeddingTaskEstimator(embedder, embedder)
    assert (await estimator.estimate(asks("zzz zzz zzz"))).task_class == "general"
    await estimator.fit()
    estimate = await estimator.estimate(asks("zzz zzz zzz"))

    assert (estimate.task_class, estimate.method) == ("writing", FEATURES_AND_EMBEDDING)
    assert (await estimator.estimate(asks("qqq qqq"))).task_class == "math"


@pytest.mark.usefixtures("in_a_hurry")
async def test_a_text_is_embedded_once_and_the_oldest_is_forgotten() -> None:
    patient, hasty = directions(), directions()
    hasty.vectors = dict.fromkeys(("one text", "another", "a third"), (1.0,) + (0.0,) * 10)
    estimator = EmbeddingTaskEstimator(patient, hasty, remembered=2)
    await estimator.fit()
    for text in ("one text", "one text", "another", "one text", "a third", "another"):
        await estimator.estimate(asks(text))

    assert hasty.asked == ["one text", "another", "a third", "another"]


@pytest.mark.usefixtures("in_a_hurry")
async def test_a_busy_model_costs_an_estimate_nothing_and_is_not_remembered() -> None:
    patient, hasty = directions(), directions()
    estimator = EmbeddingTaskEstimator(patient, hasty)
    await estimator.fit()
    hasty.error = UpstreamDown("DEPLOYMENTS_BUSY", "Busy.")
    first = await estimator.estimate(asks("zzz zzz zzz"))
    hasty.error = None

    assert first.method == FEATURES
    assert (await estimator.estimate(asks("zzz zzz zzz"))).method == FEATURES_AND_EMBEDDING


@pytest.mark.usefixtures("in_a_hurry")
async def test_vectors_of_two_models_never_meet() -> None:
    patient, hasty = directions(), directions()
    estimator = EmbeddingTaskEstimator(patient, hasty)
    await estimator.fit()
    hasty.name = patient.name = "local/other@1/11"

    assert (await estimator.estimate(asks("zzz zzz zzz"))).method == FEATURES
    await estimator.fit()
    assert (await estimator.estimate(asks("zzz zzz zzz"))).method == FEATURES_AND_EMBEDDING
    patient.name = ""
    await estimator.fit()
    assert (await estimator.estimate(asks("zzz zzz zzz"))).method == FEATURES


def test_a_vector_of_another_length_says_nothing() -> None:
    classifier = TaskClassifier([(1.0, 0.0), (0.0, 1.0)], ["code", "math"])

    assert classifier.likeness((1.0, 0.0, 0.0)) == ()
    scores = classifier.likeness((1.0, 0.0))
    assert scores.index(max(scores)) == TASK_CLASSES.index("code")


def test_of_a_long_text_both_ends_are_embedded() -> None:
    part = embedded_part("Translate this. " + "x" * 5_000 + " Thank you.")

    assert part.startswith("Translate this.")
    assert part.endswith("Thank you.")
    assert len(part) == 601
