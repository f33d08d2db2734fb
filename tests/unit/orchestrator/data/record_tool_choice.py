"""Records the vectors that the tests of the choice of tools compare, with the embedding model that ships with Nexus.

Run it by hand when `tool_choice_cases.json`, `tool_choice_heldout.json` or the examples change:
`python record_tool_choice.py embed.gguf`. Each vector is kept as 384 signed bytes (base64) under the SHA-256 of its
text, scaled to its greatest value.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from pathlib import Path

import xllamacpp

from orchestrator.adapters.tool_vectors import no_tool_examples
from orchestrator.domain.extract_code import without_code
from orchestrator.domain.split_clauses import split_clauses

HERE = Path(__file__).parent
BATCH = 32


def texts() -> list[str]:
    """Return all texts that a test embeds, each once."""
    cases = json.loads((HERE / "tool_choice_cases.json").read_text())
    found = [text for tool in cases["tools"] for text in (tool["description"], *tool["examples"])]
    found += no_tool_examples()
    held_out = json.loads((HERE / "tool_choice_heldout.json").read_text())
    for questions in (*cases["questions"].values(), *held_out.values()):
        for question in questions:
            found += split_clauses(without_code(question))
    return sorted({text for text in found if text.strip()})


def main(weights: str) -> None:
    """Write `tool_choice_vectors.json`."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = weights
    parameters.embedding = True
    parameters.n_ctx = 512
    server = xllamacpp.Server(parameters)
    vectors: dict[str, str] = {}
    wanted = texts()
    for start in range(0, len(wanted), BATCH):
        batch = wanted[start : start + BATCH]
        answer = server.handle_embeddings({"input": batch, "model": "embed"})
        answer = json.loads(answer) if isinstance(answer, str) else answer
        for text, item in zip(batch, answer["data"], strict=True):
            values = item["embedding"]
            greatest = max(abs(value) for value in values)
            small = bytes(round(value / greatest * 127) & 0xFF for value in values)
            vectors[hashlib.sha256(text.encode()).hexdigest()[:16]] = base64.b64encode(small).decode()
    (HERE / "tool_choice_vectors.json").write_text(json.dumps(dict(sorted(vectors.items())), indent=0) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
