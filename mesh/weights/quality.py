"""Checks that embedding weights mean something: related sentences lie closer than unrelated ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mesh.weights.errors import WeightsError

_RELATED = (
    ("A man is eating food.", "A person has a meal."),
    ("What is the weather tomorrow?", "Will it rain in the next days?"),
    ("Calculate the square root of 144.", "Compute a number with mathematics."),
)
_LEAST_GAP = 0.1


def check_embeddings(path: Path) -> float:
    """Loads an embedding model and compares a few sentences. Takes about a second.

    Returns:
        The gap between the least similar related pair and the most similar unrelated pair (cosine).

    Raises:
        WeightsError: The model does not load, or its vectors are not of unit length or carry no meaning.
    """
    vectors = _embed(path, [sentence for pair in _RELATED for sentence in pair])
    if not np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3):
        raise WeightsError(f"{path.name} gives vectors that are not of unit length.", _remedy())
    cosine = vectors @ vectors.T
    related = [float(cosine[i, i + 1]) for i in range(0, len(vectors), 2)]
    unrelated = [
        float(cosine[i, j]) for i in range(len(vectors)) for j in range(i + 1, len(vectors)) if i // 2 != j // 2
    ]
    gap = min(related) - max(unrelated)
    if not gap >= _LEAST_GAP:
        raise WeightsError(f"{path.name} gives vectors without meaning (gap {gap:.3f}).", _remedy())
    return gap


def _embed(path: Path, sentences: list[str]) -> npt.NDArray[np.float32]:
    import xllamacpp  # 100 MB of native code, needed here alone

    library = cast("Any", xllamacpp)
    params = library.CommonParams()
    params.model.path = str(path)
    params.embedding = True
    params.n_ctx = 512
    params.n_batch = params.n_ubatch = 512
    params.n_gpu_layers = 0
    params.verbosity = -1
    params.warmup = False
    params.port = 0
    params.cpuparams.n_threads = 1
    try:
        answer = library.Server(params).handle_embeddings({"input": sentences})
        rows = [item["embedding"] for item in answer["data"]]
    except (RuntimeError, KeyError, TypeError) as error:
        raise WeightsError(f"{path.name} does not load as an embedding model.", _remedy()) from error
    return np.asarray(rows, dtype=np.float32)


def _remedy() -> str:
    return "Delete it and run `python -m mesh.weights` again."
