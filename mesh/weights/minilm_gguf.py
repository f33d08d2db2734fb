"""Converts MiniLM (a BERT encoder in safetensors) to the GGUF format that llama.cpp loads.

Names of tensors and keys follow the `gguf` package's own tables; matrices are stored as 16-bit floats;
biases, norms, and the position and type embeddings stay 32-bit, as llama.cpp expects of a BERT model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import gguf
import numpy as np
import numpy.typing as npt

from mesh.weights.errors import WeightsError
from mesh.weights.safetensors_file import Tensor, read_tensors

# Tensors that the encoder does not use when the mean of the tokens is the sentence's vector.
_UNUSED = ("embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias")
_KEEP_F32 = ("token_types.weight", "position_embd.weight")
_REMEDY = "Report this: the pinned package and the converter do not fit."


@dataclass(frozen=True)
class SourceModel:
    """The files of a sentence encoder as its package carries them.

    Attributes:
        config_json: The Hugging Face `config.json` of a BERT model.
        vocabulary: WordPiece pieces, one a line; the line number is the token's id.
        weights: The safetensors file.
    """

    config_json: bytes
    vocabulary: str
    weights: bytes


@dataclass(frozen=True)
class _Shape:
    layers: int
    width: int
    inner_width: int
    heads: int
    context_tokens: int
    norm_epsilon: float
    token_types: int


def convert(source: SourceModel, target: Path) -> None:
    """Writes `source` as a GGUF file to `target`, replacing it. Equal input gives equal bytes.

    Raises:
        WeightsError: The source is not a BERT encoder that this converter knows.
    """
    shape = _shape(source.config_json)
    pieces = source.vocabulary.splitlines()
    writer = gguf.GGUFWriter(target, gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH.BERT])
    try:
        _write_metadata(writer, shape)
        _write_tokenizer(writer, pieces)
        names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, shape.layers)
        for tensor in read_tensors(source.weights):
            if tensor.name not in _UNUSED:
                name = _target_name(names, tensor)
                writer.add_tensor(name, _stored(name, tensor.values))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def phantom_space(piece: str) -> str:
    """Turns a WordPiece piece into llama.cpp's form.

    WordPiece marks the inside of a word (`##ing`); llama.cpp marks the start of one with U+2581 instead.
    Special tokens such as `[CLS]` keep their form.
    """
    if piece.startswith("[") and piece.endswith("]"):
        return piece
    return piece[2:] if piece.startswith("##") else "\u2581" + piece


def _shape(config_json: bytes) -> _Shape:
    config = cast("dict[str, Any]", json.loads(config_json))
    if config.get("model_type") != "bert" or config.get("position_embedding_type") != "absolute":
        raise WeightsError("The embedding model is not a BERT with absolute positions.", _REMEDY)
    return _Shape(
        layers=int(config["num_hidden_layers"]),
        width=int(config["hidden_size"]),
        inner_width=int(config["intermediate_size"]),
        heads=int(config["num_attention_heads"]),
        context_tokens=int(config["max_position_embeddings"]),
        norm_epsilon=float(config["layer_norm_eps"]),
        token_types=int(config["type_vocab_size"]),
    )


def _write_metadata(writer: gguf.GGUFWriter, shape: _Shape) -> None:
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_license("apache-2.0")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(shape.context_tokens)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.inner_width)
    writer.add_block_count(shape.layers)
    writer.add_head_count(shape.heads)
    writer.add_layer_norm_eps(shape.norm_epsilon)
    writer.add_causal_attention(False)  # noqa: FBT003 - the library's signature
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_token_type_count(shape.token_types)


def _write_tokenizer(writer: gguf.GGUFWriter, pieces: Sequence[str]) -> None:
    special = {name: pieces.index(f"[{name}]") for name in ("PAD", "UNK", "CLS", "SEP", "MASK")}
    kinds = [gguf.TokenType.CONTROL if i in special.values() else gguf.TokenType.NORMAL for i in range(len(pieces))]
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([phantom_space(piece) for piece in pieces])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(special["CLS"])
    writer.add_eos_token_id(special["SEP"])
    writer.add_sep_token_id(special["SEP"])
    writer.add_unk_token_id(special["UNK"])
    writer.add_pad_token_id(special["PAD"])
    writer.add_mask_token_id(special["MASK"])


def _target_name(names: gguf.TensorNameMap, tensor: Tensor) -> str:
    name = names.get_name(tensor.name, try_suffixes=(".weight", ".bias"))
    if name is None:
        raise WeightsError(f"The embedding model has an unknown tensor {tensor.name!r}.", _REMEDY)
    return name


def _stored(name: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    keep = values.ndim < 2 or name in _KEEP_F32
    return values.astype(np.float32 if keep else np.float16)
