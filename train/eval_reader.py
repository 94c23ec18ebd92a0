"""Scores models/reader.gguf: gold paragraph, SQuAD 2.0 with no-answer, and open over the top three
paragraphs that BM25 retrieves."""

import argparse
import json
from pathlib import Path

import numpy as np

from base import base_folder
from bm25 import Bm25
from data import Passage, Question, squad
from gguf_file import metadata
from reader import Reader, Reading, answer_text, margin, read, windows
from reader_file import load_reader
from squad_metric import exact, f1
from wordpiece import load_tokenizer

RETRIEVED = 3


def readings(model: Reader, rows: list[tuple[Question, Passage]]) -> list[Reading]:
    """The reading of greatest margin over the windows of each question and passage."""
    cut = [windows(question.tokens, passage) for question, passage in rows]
    flat = read(model, [pair for pairs in cut for pair in pairs])
    out, at = [], 0
    for pairs in cut:
        out.append(max(flat[at : at + len(pairs)], key=margin))
        at += len(pairs)
    return out


def gold(model: Reader, questions: list[Question]) -> tuple[list[str], list[float]]:
    """The best span of each question's own passage, and its margin."""
    found = readings(model, [(q, q.passage) for q in questions])
    texts = [answer_text(q.passage, r) for q, r in zip(questions, found, strict=True)]
    return texts, [margin(r) for r in found]


def retrieved(questions: list[Question]) -> list[list[Passage]]:
    """The passages that BM25 ranks best among all those the questions are about."""
    passages = list({q.passage.text: q.passage for q in questions}.values())
    index = Bm25([p.text for p in passages])
    return [[passages[i] for i in index.top(q.text, RETRIEVED)] for q in questions]


def open_book(model: Reader, questions: list[Question]) -> tuple[list[str], list[float]]:
    """The span of the greatest margin over the retrieved passages, and that margin."""
    tops = retrieved(questions)
    rows = [(q, p) for q, top in zip(questions, tops, strict=True) for p in top]
    found = list(zip(rows, readings(model, rows), strict=True))
    texts, margins, at = [], [], 0
    for top in tops:
        candidates = found[at : at + len(top)]
        at += len(top)
        (_, passage), best = max(candidates, key=lambda c: margin(c[1]))
        texts.append(answer_text(passage, best))
        margins.append(margin(best))
    return texts, margins


def abstaining(texts: list[str], margins: list[float], threshold: float) -> list[str]:
    """The answers, empty where the margin is below the threshold."""
    return [t if m >= threshold else "" for t, m in zip(texts, margins, strict=True)]


def mean_scores(texts: list[str], questions: list[Question]) -> dict[str, float]:
    """The means of F1 and EM in percent, the share answered, and how many questions there were."""
    pairs = list(zip(texts, [q.answers for q in questions], strict=True))
    return {
        "f1": round(100 * float(np.mean([f1(a, g) for a, g in pairs])), 2),
        "em": round(100 * float(np.mean([exact(a, g) for a, g in pairs])), 2),
        "answered": round(float(np.mean([bool(text) for text in texts])), 3),
        "n": len(pairs),
    }


def evaluate(
    model: Reader, first: list[Question], second: list[Question], threshold: float
) -> dict[str, dict[str, float]]:
    """Every figure of the model card, from v1.1 questions `first` and v2.0 questions `second`."""
    texts, margins = open_book(model, first)
    doubtful, doubts = gold(model, second)
    return {
        "v1.1 gold": mean_scores(gold(model, first)[0], first),
        "v2.0 gold, abstaining": mean_scores(abstaining(doubtful, doubts, threshold), second),
        "v1.1 open": mean_scores(texts, first),
        "v1.1 open, abstaining": mean_scores(abstaining(texts, margins, threshold), first),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", choices=("dev", "calibrate", "test"), default="dev")
    parser.add_argument("--model", type=Path, default=Path("models/reader.gguf"))
    parser.add_argument("--encoder", type=Path, default=Path("models/encoder.gguf"))
    options = parser.parse_args()
    tokenizer = load_tokenizer(base_folder() / "tokenizer.json")
    first, second = (squad(tokenizer, options.data, options.part, v) for v in ("1.1", "2.0"))
    threshold = float(metadata(options.model)["brink.reader.null_threshold"])
    model = load_reader(options.model, options.encoder)
    for name, scores in evaluate(model, first, second, threshold).items():
        print(f"{options.part}  {name:24}{json.dumps(scores)}", flush=True)


if __name__ == "__main__":
    main()
