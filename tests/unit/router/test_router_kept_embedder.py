"""Vectors that are kept over a restart: those of the same model, and of no other."""

from __future__ import annotations

import pytest
from router_cache_fakes import FakeLocalEmbedder

from provider_router.adapters.local_embedder_kept import KeptLocalEmbedder
from shared.errors import UpstreamDown

TEXTS = [f"text {number}" for number in range(20)]


async def test_what_was_embedded_is_known_after_a_restart(tmp_path) -> None:
    file = tmp_path / "cache" / "v"
    first, second = FakeLocalEmbedder(), FakeLocalEmbedder()
    vectors = await KeptLocalEmbedder(first, file).embed(TEXTS)
    again = KeptLocalEmbedder(second, file)
    kept = await again.embed(TEXTS[:10]) + await again.embed(TEXTS[10:])
    assert second.asked == TEXTS[:1]
    for one, other in zip(vectors, kept, strict=True):
        assert one == pytest.approx(other, abs=1e-6)
    assert b"text" not in file.read_bytes()


async def test_a_new_text_is_embedded_and_kept_too(tmp_path) -> None:
    file = tmp_path / "v"
    await KeptLocalEmbedder(FakeLocalEmbedder(), file).embed(TEXTS)
    await KeptLocalEmbedder(FakeLocalEmbedder(), file).embed([*TEXTS, "new"])
    third = FakeLocalEmbedder()
    await KeptLocalEmbedder(third, file).embed([*TEXTS, "new"])
    assert third.asked == TEXTS[:1]


async def test_another_model_starts_anew_also_under_the_same_name(tmp_path) -> None:
    file = tmp_path / "v"
    await KeptLocalEmbedder(FakeLocalEmbedder(), file).embed(TEXTS)
    other = FakeLocalEmbedder(vectors=dict.fromkeys(TEXTS, (0.6, 0.8)))
    assert await KeptLocalEmbedder(other, file).embed(TEXTS) == tuple((0.6, 0.8) for _ in TEXTS)
    renamed = FakeLocalEmbedder(name="local/other@1/2")
    await KeptLocalEmbedder(renamed, file).embed(TEXTS)
    assert set(renamed.asked) == set(TEXTS)


async def test_a_torn_or_wrong_file_costs_time_and_nothing_else(tmp_path) -> None:
    file = tmp_path / "v"
    vectors = await KeptLocalEmbedder(FakeLocalEmbedder(), file).embed(TEXTS)
    whole = file.read_bytes()
    for content in (whole[:-3], whole[:20], b"", b"nonsense", b"\n" * 50):
        file.write_bytes(content)
        again = await KeptLocalEmbedder(FakeLocalEmbedder(), file).embed(TEXTS)
        for one, other in zip(vectors, again, strict=True):
            assert one == pytest.approx(other, abs=1e-6)


async def test_a_place_that_cannot_be_written_is_no_error(tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    embedder = KeptLocalEmbedder(FakeLocalEmbedder(), tmp_path / "file" / "v")
    assert len(await embedder.embed(TEXTS)) == len(TEXTS)


async def test_a_model_that_is_down_is_asked_again(tmp_path) -> None:
    model = FakeLocalEmbedder(error=UpstreamDown("PROVIDER_UNREACHABLE", "Down."))
    embedder = KeptLocalEmbedder(model, tmp_path / "v")
    with pytest.raises(UpstreamDown):
        await embedder.embed(TEXTS)
    model.error = None
    assert len(await embedder.embed(TEXTS)) == len(TEXTS)
