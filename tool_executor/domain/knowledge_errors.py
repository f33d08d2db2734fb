"""The errors with which knowledge is refused."""

from __future__ import annotations

from shared.errors import PreconditionFailed, QuotaExceeded, UpstreamDown


def model_changed(kept: str, now: str) -> PreconditionFailed:
    """Return the error of vectors that do not compare with those that are there."""
    return PreconditionFailed(
        "KNOWLEDGE_MODEL_CHANGED",
        f"The organisation's knowledge was put with the embedding model {kept!r}, and this is one of {now!r}: they do "
        "not compare. Try again; if that does not help, remove each source with `nexus knowledge remove` and put it "
        "again.",
        metadata={"kept_model": kept, "model": now},
    )


def model_gone(kept: str, why: str) -> PreconditionFailed:
    """Return the error of knowledge whose embedding model the router does not offer any more."""
    return PreconditionFailed(
        "KNOWLEDGE_MODEL_GONE",
        f"The organisation's knowledge was put with the embedding model {kept!r}, which cannot be used now: {why} "
        "Configure that model again, or remove each source with `nexus knowledge remove` and put it again with "
        "another model.",
        metadata={"kept_model": kept},
    )


def knowledge_full(most: int) -> QuotaExceeded:
    """Return the error of passages that do not fit; nothing was stored."""
    return QuotaExceeded(
        "KNOWLEDGE_FULL",
        f"Your organisation's knowledge may have {most} passages, and these do not fit. Remove a source with `nexus "
        "knowledge remove`, or have the operator raise NEXUS_TOOLS_KNOWLEDGE_PASSAGES.",
        metadata={"most_passages": str(most)},
    )


def store_unavailable() -> UpstreamDown:
    """Return the error of a store that cannot be used."""
    return UpstreamDown("KNOWLEDGE_STORE_UNAVAILABLE", "The knowledge cannot be used now; the log says why.")
