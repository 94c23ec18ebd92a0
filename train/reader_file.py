"""The reader's GGUF: written by make_reader.py, read by whatever evaluates it."""

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
import torch

import gguf_file
import reader
from bert import BertConfig
from data import QUESTION_TOKENS_MAX
from reader import Reader

VERSION = 1
HEADS = ("qa_span", "qa_answerable")
SHARED = "token_embd.weight"


def reader_from(arrays: dict[str, np.ndarray]) -> Reader:
    """A Reader of dequantized tensors, token embeddings included, f32."""
    model = Reader(gguf_file.bert_from(arrays))
    for head in HEADS:
        for part in ("weight", "bias"):
            getattr(getattr(model, head), part).data = torch.from_numpy(arrays[f"{head}.{part}"])
    return model.eval()


def load_reader(path: Path, encoder: Path) -> Reader:
    """The shipped reader, with the token embeddings of the encoder that it was trained with."""
    wanted = gguf_file.metadata(path)["brink.shares.token_embd.sha256"]
    assert gguf_file.tensor_sha256(encoder, SHARED) == wanted, f"{encoder} is another encoder"
    arrays = gguf_file.tensor_arrays(path)
    return reader_from({**arrays, SHARED: gguf_file.tensor_arrays(encoder)[SHARED]})


def write_reader(
    path: Path, tensors: Mapping[str, np.ndarray], encoder: Path, numbers: Mapping[str, float]
) -> None:
    """Writes tensors in stored form; `numbers` become brink.reader.* keys as f32."""
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name("Brink reader")
    writer.add_description("Extractive question answering: span and answerability heads on BERT.")
    writer.add_license("apache-2.0")
    gguf_file.add_bert_keys(writer, BertConfig(), gguf.PoolingType.NONE)
    writer.add_token_type_count(BertConfig.types)
    writer.add_uint32("brink.reader.version", VERSION)
    writer.add_uint32("brink.reader.tokens_max", reader.TOKENS_MAX)
    writer.add_uint32("brink.reader.question_tokens_max", QUESTION_TOKENS_MAX)
    writer.add_uint32("brink.reader.answer_tokens_max", reader.ANSWER_TOKENS_MAX)
    for key, value in numbers.items():
        writer.add_float32(f"brink.reader.{key}", value)
    writer.add_string("brink.shares", encoder.name)
    sha256 = gguf_file.tensor_sha256(encoder, SHARED)
    writer.add_string("brink.shares.token_embd.sha256", sha256)
    for name, value in tensors.items():
        gguf_file.add_tensor(writer, name, value)
    gguf_file.write(writer)
