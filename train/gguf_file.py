"""A Bert to GGUF and back, with llama.cpp's tensor names.

The writer puts tensors in the order in which a forward pass uses them, so that a streaming loader
can place them as they come.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import torch
from torch import Tensor

import gptq
import q8_0
from bert import Bert, BertConfig

Q8_0 = gguf.GGMLQuantizationType.Q8_0
CONTEXT_LENGTH = 512


def named_tensors(model: Bert) -> Iterator[tuple[str, np.ndarray]]:
    """(llama.cpp's name, f32 array), in order of use; token_embd.weight first."""
    state = {k: v.detach().float().numpy() for k, v in model.state_dict().items()}
    for name in ("token_embd.weight", "token_types.weight", "position_embd.weight"):
        yield name, state[name]
    for part in ("weight", "bias"):
        yield f"token_embd_norm.{part}", state[f"token_embd_norm.{part}"]
    for i in range(model.config.layers):
        for part in ("weight", "bias"):
            q, k, v = np.split(state[f"layers.{i}.qkv.{part}"], 3)
            for name, value in (("q", q), ("k", k), ("v", v)):
                yield f"blk.{i}.attn_{name}.{part}", value
        for name in ("attn_output", "attn_output_norm", "ffn_up", "ffn_down", "layer_output_norm"):
            for part in ("weight", "bias"):
                yield f"blk.{i}.{name}.{part}", state[f"layers.{i}.{name}.{part}"]


def is_quantized(name: str) -> bool:
    """Whether a tensor is stored as Q8_0: the matrices of the layers and the token embeddings."""
    matrix = name.startswith("blk.") and name.endswith(".weight") and "norm" not in name
    return matrix or name == "token_embd.weight"


def add_bert_keys(writer: gguf.GGUFWriter, c: BertConfig, pooling: gguf.PoolingType) -> None:
    """The bert.* keys that llama.cpp reads."""
    writer.add_context_length(CONTEXT_LENGTH)
    writer.add_embedding_length(c.dim)
    writer.add_feed_forward_length(c.ffn)
    writer.add_block_count(c.layers)
    writer.add_head_count(c.heads)
    writer.add_layer_norm_eps(c.norm_eps)
    writer.add_causal_attention(False)
    writer.add_pooling_type(pooling)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def stored(name: str, value: np.ndarray, moment: np.ndarray | None = None) -> np.ndarray:
    """A tensor as it lies in the file: u8 Q8_0 blocks where is_quantized says so, by GPTQ where the
    moment of its inputs is given; F16 for position embeddings, which lose nothing by it; else F32.
    """
    if is_quantized(name):
        rounded = q8_0.quantize_rows(value) if moment is None else gptq.quantize(value, moment)
        return q8_0.pack(*rounded)
    return value.astype(np.float16 if name == "position_embd.weight" else np.float32)


def loaded(value: np.ndarray) -> np.ndarray:
    """The f32 tensor that stored bytes stand for."""
    if value.dtype == np.uint8:
        return q8_0.dequantize_rows(*q8_0.unpack(value))
    return value.astype(np.float32)


def add_tensor(writer: gguf.GGUFWriter, name: str, value: np.ndarray) -> None:
    """Adds one tensor in its stored form."""
    writer.add_tensor(name, value, raw_dtype=Q8_0 if value.dtype == np.uint8 else None)


def write(writer: gguf.GGUFWriter) -> None:
    """Writes header, metadata and tensors, and closes the file."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def tensor_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every tensor of a file, dequantized to f32."""
    reader = gguf.GGUFReader(path)
    return {tensor.name: loaded(np.array(tensor.data)) for tensor in reader.tensors}


def tensor_sha256(path: Path, name: str) -> str:
    """The SHA-256 of a tensor's bytes as they lie in the file, in hex."""
    found = [t for t in gguf.GGUFReader(path).tensors if t.name == name]
    assert len(found) == 1, f"{path} has no tensor {name}"
    return hashlib.sha256(np.ascontiguousarray(found[0].data).tobytes()).hexdigest()


def metadata(path: Path) -> dict[str, object]:
    """Every key of a file with its value."""
    return {key: field.contents() for key, field in gguf.GGUFReader(path).fields.items()}


def bert_from(arrays: dict[str, np.ndarray], dropout: float = 0.0) -> Bert:
    """A Bert of dequantized tensors, f32. `arrays` holds each that named_tensors gives, or more."""
    state: dict[str, Tensor] = {}
    model = Bert(dropout=dropout)
    for key in model.state_dict():
        if not key.startswith("layers."):
            state[key] = torch.from_numpy(arrays[key])
            continue
        _, layer, name, part = key.split(".")
        if name == "qkv":
            parts = [arrays[f"blk.{layer}.attn_{n}.{part}"] for n in "qkv"]
            state[key] = torch.from_numpy(np.concatenate(parts))
        else:
            state[key] = torch.from_numpy(arrays[f"blk.{layer}.{name}.{part}"])
    model.load_state_dict(state)
    return model
