"""Makes models/encoder.gguf: all-MiniLM-L6-v2 in int8, with its vocabulary."""

import argparse
from pathlib import Path

import gguf

import gguf_file
import gptq
from base import base_folder
from bert import BertConfig, load_base
from embedding import batches
from texts import calibration_texts
from wordpiece import CLS, MASK, PAD, SEP, UNK, load_tokenizer, vocabulary

SPECIAL = {PAD, UNK, CLS, SEP, MASK}
SIZE_MAX = 25 * 2**20  # a static asset of Workers may not be larger
SOURCE = "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2"


def phantom(piece: str) -> str:
    """llama.cpp's WPM form: a piece that starts a word bears U+2581, a continuation loses '##'."""
    if piece.startswith("[") and piece.endswith("]"):
        return piece
    return piece[2:] if piece.startswith("##") else "\u2581" + piece


def add_vocabulary(writer: gguf.GGUFWriter, pieces: list[str]) -> None:
    """The tokenizer keys, as llama.cpp's converter writes them for this vocabulary."""
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("bert-bge")  # llama.cpp's name for BERT's uncased pre-tokenizer
    writer.add_token_list([phantom(p) for p in pieces])
    writer.add_token_types([control if i in SPECIAL else normal for i in range(len(pieces))])
    writer.add_token_type_count(BertConfig.types)
    writer.add_bos_token_id(CLS)
    writer.add_eos_token_id(SEP)
    writer.add_uint32("tokenizer.ggml.cls_token_id", CLS)
    writer.add_sep_token_id(SEP)
    writer.add_unk_token_id(UNK)
    writer.add_pad_token_id(PAD)
    writer.add_mask_token_id(MASK)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("models/encoder.gguf"))
    parser.add_argument("--data", type=Path, required=True, help="for texts to calibrate on")
    options = parser.parse_args()
    out: Path = options.out
    model = load_base(base_folder() / "model.safetensors")
    tokenizer = load_tokenizer(base_folder() / "tokenizer.json")
    moments = gptq.observe(model, batches(tokenizer, calibration_texts(options.data, tokenizer)))
    writer = gguf.GGUFWriter(out, "bert")
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_description("Sentence embeddings: mean over tokens, then L2 norm. int8 by Brink.")
    writer.add_license("apache-2.0")
    writer.add_source_url(SOURCE)
    writer.add_source_repo_url(SOURCE)
    gguf_file.add_bert_keys(writer, model.config, gguf.PoolingType.MEAN)
    add_vocabulary(writer, vocabulary(tokenizer))
    for name, value in gguf_file.named_tensors(model):
        stored = gguf_file.stored(name, value, moments.for_tensor(name))
        gguf_file.add_tensor(writer, name, stored)
    gguf_file.write(writer)
    size = out.stat().st_size
    assert size < SIZE_MAX, f"{out} has {size} bytes, the limit is {SIZE_MAX}"
    print(f"{out}: {size} bytes")


if __name__ == "__main__":
    main()
