"""Writes models/golden/*.json: what the engine's tests must reproduce from the shipped models."""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

import gguf_file
from base import base_folder
from bert import Bert, embed, load_base
from data import tokenize_passage
from embedding import token_ids
from reader import Reader, answer_text, collate, margin, read, windows
from reader_file import load_reader
from wordpiece import load_tokenizer

DIGITS = 6
LONG = (
    "A worker at the edge of the network answers most questions without help. It keeps a memory of "
    "documents, each cut into passages of a few sentences, and finds the passages that fit a "
    "question by their words and by their meaning. A small reader then looks for the span of text "
    "that answers, and says so when there is none. "
)
TEXTS = [
    "", "a", "Brink", "WASM SIMD", "naïve café — déjà vu", "東京都は日本の首都です。",
    "😀 🇩🇪 👩‍👩‍👧‍👦", "Привет, мир!", "e\u0301 zero\u200bwidth \u00a0 blanks",
    "[CLS] is plain text here, and so is ##ing", "What is the capital of France?",
    "user@example.org paid 1,234.56 € (C++/C#)", "a" * 120, LONG.split(". ")[0] + ".", LONG,
    LONG * 4,
]  # fmt: skip
MEMORY = (
    "The observatory on Mount Kerrow was opened in 1911 by the astronomer Ada Lindqvist. Its main "
    "telescope, built in Jena, has a mirror of 1.2 metres. During the winter of 1947 a fire "
    "destroyed the library, but the photographic plates were saved by the night watchman, Paul "
    "Orme."
)
PAIRS = [
    ("Who opened the observatory?", MEMORY),
    ("When was the observatory on Mount Kerrow opened?", MEMORY),
    ("How large is the mirror of the telescope?", MEMORY),
    ("Who saved the photographic plates?", MEMORY),
    ("What is the population of Lisbon?", MEMORY),
    ("Where was the main telescope built?", MEMORY.split(". ")[1] + "."),
    ("How does the worker find passages?", LONG),
    ("¿Qué es 東京?", "東京都 (Tōkyō) is the capital of Japan; its emoji is 🗼."),
]


def rounded(values: np.ndarray | torch.Tensor) -> list:
    """Nested lists of numbers with DIGITS digits after the point."""
    return np.round(np.asarray(values, np.float64), DIGITS).tolist()


def one_embedding(model: Bert, ids: list[int]) -> list[float]:
    """The embedding of one text, alone in its batch: f32 [384]."""
    row = torch.tensor([ids])
    return rounded(embed(model.eval(), row, torch.ones_like(row, dtype=torch.bool))[0])


def encoder_golden(encoder: Path) -> list[dict]:
    """Texts, ids and embeddings: `original` of the fp32 base, `shipped` of the file's weights."""
    tokenizer = load_tokenizer(base_folder() / "tokenizer.json")
    original = load_base(base_folder() / "model.safetensors")
    shipped = gguf_file.bert_from(gguf_file.tensor_arrays(encoder))
    found = []
    for text in TEXTS:
        ids = token_ids(tokenizer, text)
        both = {"original": one_embedding(original, ids), "shipped": one_embedding(shipped, ids)}
        found.append({"text": text, "ids": ids, **both})
    return found


def reader_golden(model: Reader) -> list[dict]:
    """Pairs, ids, every logit and the answer, of the shipped weights in f32."""
    tokenizer = load_tokenizer(base_folder() / "tokenizer.json")
    found = []
    for question, text in PAIRS:
        tokens = tokenizer.encode(question, add_special_tokens=False).ids
        passage = tokenize_passage(tokenizer, text)
        (pair,) = windows(tokens, passage)
        inputs = collate([pair])
        ends, answerable = model(inputs["ids"], inputs["types"], inputs["mask"])
        (reading,) = read(model, [pair])
        found.append(
            {
                "question": question,
                "passage": text,
                "ids": pair.ids,
                "types": inputs["types"][0].tolist(),
                "start": rounded(ends[0, :, 0]),
                "end": rounded(ends[0, :, 1]),
                "answerable": rounded(answerable[0]),
                "first": reading.first + pair.passage_at,
                "last": reading.last + pair.passage_at,
                "span": round(reading.span, DIGITS),
                "null": round(reading.null, DIGITS),
                "margin": round(margin(reading), DIGITS),
                "answer": answer_text(passage, reading),
            }
        )
    return found


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("models"))
    models: Path = parser.parse_args().models
    encoder, reader = models / "encoder.gguf", models / "reader.gguf"
    for name, cases in (
        ("encoder", encoder_golden(encoder)),
        ("reader", reader_golden(load_reader(reader, encoder))),
    ):
        out = models / "golden" / f"{name}.json"
        out.parent.mkdir(exist_ok=True)
        lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
        out.write_text(f"[\n{lines}\n]\n")
        print(f"{out}: {len(cases)} cases, {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
