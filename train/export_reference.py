"""Writes the 1,000 texts and their fp32 embeddings, for a comparison with another engine.

OUT.json holds {"texts": [...]}, OUT.f32 the embeddings: little-endian f32 [1000, 384].
"""

import argparse
import json
from pathlib import Path

from base import base_folder
from bert import load_base
from embedding import embed_texts
from texts import thousand_texts
from wordpiece import load_tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="path without extension")
    options = parser.parse_args()
    texts = thousand_texts(options.data)
    tokenizer = load_tokenizer(base_folder() / "tokenizer.json")
    embeddings = embed_texts(load_base(base_folder() / "model.safetensors"), tokenizer, texts)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with_json = options.out.with_suffix(".json")
    with_json.write_text(json.dumps({"texts": texts}, ensure_ascii=False))
    embeddings.astype("<f4").tofile(options.out.with_suffix(".f32"))
    print(f"{with_json}: {len(texts)} texts")


if __name__ == "__main__":
    main()
