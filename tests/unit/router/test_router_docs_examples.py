"""The examples of the guides run."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("guide", ["estimator.md"])
def test_every_example_of_a_guide_gives_what_it_says(guide: str) -> None:
    results = doctest.testfile(str(DOCS / guide), module_relative=False)

    assert results.attempted > 0
    assert results.failed == 0
