"""Compares models/encoder.gguf with its fp32 original on 1,000 texts; fails below the bound."""

import argparse
from pathlib import Path

import numpy as np

import gguf_file
from base import base_folder
from bert import load_base
from embedding import embed_texts
from texts import thousand_texts
from wordpiece import load_tokenizer

COSINE_MIN = 0.998


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path("models/encoder.gguf"))
    options = parser.parse_args()
    tokenizer = load_tokenizer(base_folder() / "tokenizer.json")
    texts = thousand_texts(options.data)
    original = embed_texts(load_base(base_folder() / "model.safetensors"), tokenizer, texts)
    shipped = gguf_file.bert_from(gguf_file.tensor_arrays(options.model))
    cosines = (original * embed_texts(shipped, tokenizer, texts)).sum(axis=1)
    print(f"texts {len(texts)}  cosine min {cosines.min():.5f}  mean {cosines.mean():.5f}")
    for i in np.argsort(cosines)[:10]:
        print(f"  {cosines[i]:.5f}  {texts[i][:70]!r}")
    assert cosines.min() >= COSINE_MIN, f"the bound is {COSINE_MIN}"


if __name__ == "__main__":
    main()
