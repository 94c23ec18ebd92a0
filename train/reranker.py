"""Fits models/reranker.json: how well a text answers a question, by logistic regression over what
the shipped reader and encoder say of the two. The features are src/model/reranker.ts's.

Fits on squad/train and SciFact's training claims and prints, for questions and claims that were
held out, how well each way of ordering puts the right text first. No test part is read.
"""

import argparse
import hashlib
import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

import gguf_file
from base import base_folder
from bert import Bert, embed
from bm25 import Bm25
from data import QUESTION_TOKENS_MAX, squad
from reader import ANSWER_TOKENS_MAX, Reader, collate, make_pair
from reader_file import load_reader
from wordpiece import CLS, SEP, load_tokenizer

SEED = 7
PIECE_TOKENS, PIECE_STRIDE, PIECES_MAX = 254, 200, 4
FIRST_WORD_ID = 1995
CANDIDATES = 10
# Questions and claims that are read: fit, held out.
SQUAD, SCIFACT = (200, 150), (100, 80)
FEATURES = ("log_sum", "cosine", "coverage")
RIDGE = 1.0
BATCH = 16


@dataclass
class Asked:
    """A question or claim with its candidates' texts, of which some are right."""

    text: str
    texts: list[str]
    right: list[bool]


@dataclass
class Piece:
    """A piece of a candidate: its token ids, and which candidate of which question it is of."""

    asked: int
    place: int
    ids: list[int]


def candidates(index: Bm25, texts: list[str], asked: list[tuple[str, set[int]]]) -> list[Asked]:
    """The texts that BM25 ranks best, where a right one is among them."""
    found = []
    for text, rights in asked:
        top = index.top(text, CANDIDATES)
        if rights & set(top):
            found.append(Asked(text, [texts[i] for i in top], [i in rights for i in top]))
    return found


def squad_questions(tokenizer: Tokenizer, data: Path) -> tuple[list[Asked], list[Asked]]:
    """Of squad/train, and of the articles that the reader has not seen."""
    parts = [squad(tokenizer, data, part, "1.1") for part in ("train", "dev")]
    texts = list({q.passage.text: None for part in parts for q in part})
    at = {text: i for i, text in enumerate(texts)}
    index = Bm25(texts)
    drawn = [random.Random(SEED).sample(p, n) for p, n in zip(parts, SQUAD, strict=True)]
    fit, held = [
        candidates(index, texts, [(q.text, {at[q.passage.text]}) for q in part]) for part in drawn
    ]
    return fit, held


def scifact_claims(data: Path) -> tuple[list[Asked], list[Asked]]:
    """Of the training claims, two parts."""

    def lines(name: str) -> list[dict]:
        return [json.loads(line) for line in (data / "scifact" / name).read_text().splitlines()]

    corpus = {d["_id"]: f"{d['title']}\n{d['text']}" for d in lines("corpus.jsonl")}
    at = {name: i for i, name in enumerate(corpus)}
    rights: dict[str, set[int]] = {}
    for row in (data / "scifact/qrels/train.tsv").read_text().splitlines()[1:]:
        query, document, grade = row.split("\t")
        if int(grade) > 0:
            rights.setdefault(query, set()).add(at[document])
    claims = [(q["text"], rights[q["_id"]]) for q in lines("queries.jsonl") if q["_id"] in rights]
    texts = list(corpus.values())
    drawn = random.Random(SEED).sample(claims, sum(SCIFACT))
    index = Bm25(texts)
    fit, held = drawn[: SCIFACT[0]], drawn[SCIFACT[0] :]
    return candidates(index, texts, fit), candidates(index, texts, held)


def cut(tokenizer: Tokenizer, text: str) -> list[list[int]]:
    """Token ids of what the encoder sees whole, PIECE_STRIDE apart."""
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    ids = ids[: PIECE_TOKENS + (PIECES_MAX - 1) * PIECE_STRIDE]
    pieces = []
    for first in range(0, len(ids), PIECE_STRIDE):
        pieces.append(ids[first : first + PIECE_TOKENS])
        if first + PIECE_TOKENS >= len(ids):
            break
    return pieces


def coverage(question: list[int], piece: list[int]) -> float:
    """The share of the question's distinct tokens, weighted by rarity, that the piece has."""
    rarity = {token: math.log(max(1, token - FIRST_WORD_ID)) for token in question}
    held = set(piece)
    total = sum(rarity.values())
    return sum(w for token, w in rarity.items() if token in held) / total if total else 0.0


def span_scores(ends: Tensor, allowed: Tensor) -> Tensor:
    """ends [b, t, 2], allowed [b, t] -> [b, t * t]: start + end logit of each legal span of passage
    tokens, less that of [CLS]; others are far below.
    """
    inside = allowed.clone()
    inside[:, 0] = False
    masked = ends.masked_fill(~inside[:, :, None], -1e4)
    scores = masked[:, :, None, 0] + masked[:, None, :, 1]
    width = ends.shape[1]
    legal = torch.ones(width, width, dtype=torch.bool).triu().tril(ANSWER_TOKENS_MAX - 1)
    return scores.masked_fill(~legal, -1e9).flatten(1) - ends[:, 0].sum(1)[:, None]


class Rows:
    """What is seen of each piece: its question and candidate, named columns, and [CLS]."""

    def __init__(self, asked: list[Asked], pieces: list[Piece]) -> None:
        self.asked, self.pieces = asked, pieces
        names = (*FEATURES, "span", "answerable")
        self.columns = {name: np.zeros(len(pieces)) for name in names}
        self.cls = np.zeros((len(pieces), 384), np.float32)
        self.right = np.array([asked[p.asked].right[p.place] for p in pieces])

    def matrix(self, names: tuple[str, ...]) -> np.ndarray:
        """f64 [pieces, names]."""
        return np.stack([self.columns[name] for name in names], 1)

    def ndcg(self, scores: np.ndarray) -> np.ndarray:
        """nDCG@10 by question; a candidate scores as its best piece, ties stay as BM25 has them."""
        best = [np.full(len(one.texts), -np.inf) for one in self.asked]
        for piece, score in zip(self.pieces, scores, strict=True):
            best[piece.asked][piece.place] = max(best[piece.asked][piece.place], score)
        out = []
        for one, values in zip(self.asked, best, strict=True):
            right = np.array(one.right)[np.argsort(-values, kind="stable")]
            discounts = 1 / np.log2(np.arange(2, len(right) + 2))
            out.append((right * discounts).sum() / discounts[: right.sum()].sum())
        return np.array(out)


@torch.inference_mode()
def read(asked: list[Asked], tokenizer: Tokenizer, reader: Reader, encoder: Bert) -> Rows:
    """Every piece of every candidate by both models."""
    questions = [tokenizer.encode(one.text, add_special_tokens=False).ids for one in asked]
    pieces = [
        Piece(i, place, ids)
        for i, one in enumerate(asked)
        for place, text in enumerate(one.texts)
        for ids in cut(tokenizer, text)
    ]
    rows = Rows(asked, pieces)
    wanted = embeddings(encoder, [ids[:PIECE_TOKENS] for ids in questions])
    vectors = embeddings(encoder, [piece.ids for piece in pieces])
    order = sorted(range(len(pieces)), key=lambda i: len(pieces[i].ids))
    for at in range(0, len(order), BATCH):
        batch = order[at : at + BATCH]
        asking = [questions[pieces[i].asked][:QUESTION_TOKENS_MAX] for i in batch]
        x = collate([make_pair(q, pieces[i].ids) for q, i in zip(asking, batch, strict=True)])
        hidden = reader.bert(x["ids"], x["types"], x["mask"]).float()
        scores = span_scores(reader.qa_span(hidden), x["allowed"])
        rows.columns["span"][batch] = scores.amax(1)
        rows.columns["log_sum"][batch] = scores.logsumexp(1)
        rows.columns["answerable"][batch] = reader.qa_answerable(hidden[:, 0])[:, 0]
        rows.cls[batch] = hidden[:, 0]
        for question, i in zip(asking, batch, strict=True):
            rows.columns["coverage"][i] = coverage(question, pieces[i].ids)
            rows.columns["cosine"][i] = vectors[i] @ wanted[pieces[i].asked]
    return rows


def embeddings(encoder: Bert, every: list[list[int]]) -> np.ndarray:
    """f32 [texts, 384] of token ids without specials."""
    out = np.empty((len(every), 384), np.float32)
    order = sorted(range(len(every)), key=lambda i: len(every[i]))
    for at in range(0, len(order), BATCH):
        batch = order[at : at + BATCH]
        width = max(len(every[i]) for i in batch) + 2
        ids = torch.zeros(len(batch), width, dtype=torch.long)
        for j, i in enumerate(batch):
            ids[j, : len(every[i]) + 2] = torch.tensor([CLS, *every[i], SEP])
        out[batch] = embed(encoder, ids, ids > 0).float()
    return out


def fit(x: np.ndarray, right: np.ndarray, ridge: float) -> tuple[np.ndarray, float]:
    """Weights and bias of x [n, d] that minimize the log loss + ridge / 2 * |standardized w|^2."""
    mean, std = x.mean(0), np.maximum(x.std(0), 1e-9)
    rows = torch.tensor((x - mean) / std, dtype=torch.float64)
    wanted = torch.tensor(right.astype(float))
    line = torch.zeros(x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    descent = torch.optim.LBFGS([line], max_iter=500, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        descent.zero_grad()
        logits = rows @ line[1:] + line[0]
        total = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, wanted, reduction="sum"
        )
        total = total + ridge / 2 * (line[1:] ** 2).sum()
        total.backward()
        return total

    descent.step(loss)
    found = line.detach().numpy()
    weights = found[1:] / std
    return weights, float(found[0] - (weights * mean).sum())


def interval(values: np.ndarray) -> str:
    """The mean and its 95 % bootstrap interval."""
    chance = np.random.default_rng(SEED)
    means = np.sort(chance.choice(values, (1000, len(values))).mean(1))
    return f"{values.mean():.4f} [{means[25]:.3f}, {means[974]:.3f}]"


def compare(fitted: list[Rows], held: dict[str, Rows]) -> None:
    """Prints nDCG@10 of held-out questions and claims by each design."""
    right = np.concatenate([rows.right for rows in fitted])

    def scorer(pick: Callable[[Rows], np.ndarray], ridge: float) -> Callable[[Rows], np.ndarray]:
        weights, _ = fit(np.concatenate([pick(rows) for rows in fitted]), right, ridge)
        return lambda rows: pick(rows) @ weights

    every = ("span", "log_sum", "answerable", "cosine", "coverage")
    both = lambda rows: np.concatenate([rows.matrix(FEATURES), rows.cls], 1)  # noqa: E731
    designs: dict[str, Callable[[Rows], np.ndarray]] = {
        "BM25, as they come": lambda rows: np.zeros(len(rows.pieces)),
        **{name: (lambda rows, n=name: rows.columns[n]) for name in every},
        "linear on [CLS]": scorer(lambda rows: rows.cls, 1000),
        "log_sum, cosine": scorer(lambda rows: rows.matrix(("log_sum", "cosine")), RIDGE),
        "log_sum, cosine, coverage": scorer(lambda rows: rows.matrix(FEATURES), RIDGE),
        "all five": scorer(lambda rows: rows.matrix(every), RIDGE),
        "the three and [CLS]": scorer(both, 1000),
    }
    for name, design in designs.items():
        for part, rows in held.items():
            print(f"{name:28}{part:10}{interval(rows.ndcg(design(rows)))}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--bfloat16", action="store_true", help="faster where the CPU has AMX")
    options = parser.parse_args()
    encoder_file, reader_file = (options.models / f"{n}.gguf" for n in ("encoder", "reader"))
    tokenizer = load_tokenizer(base_folder() / "tokenizer.json")
    reader = load_reader(reader_file, encoder_file).eval()
    encoder = gguf_file.bert_from(gguf_file.tensor_arrays(encoder_file)).eval()
    if options.bfloat16:
        reader.bert.bfloat16()
        encoder.bfloat16()
    parts = {"squad": squad_questions(tokenizer, options.data)}
    parts["scifact"] = scifact_claims(options.data)
    fitted, held = {}, {}
    for name, pair in parts.items():
        fitted[name], held[name] = (read(part, tokenizer, reader, encoder) for part in pair)
        print(f"{name}: {len(fitted[name].pieces)} pieces fit, {len(held[name].pieces)} held out")
    compare(list(fitted.values()), held)
    x = np.concatenate([rows.matrix(FEATURES) for rows in fitted.values()])
    weights, bias = fit(x, np.concatenate([rows.right for rows in fitted.values()]), RIDGE)
    numbers = {name: round(float(w), 4) for name, w in zip(FEATURES, weights, strict=True)}
    digest = hashlib.sha256(json.dumps([numbers, bias]).encode()).hexdigest()[:12]
    sha256 = {
        f"{path.stem}_sha256": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (encoder_file, reader_file)
    }
    model = {
        "version": f"reranker-{digest}",
        "weights": numbers,
        "bias": round(bias, 4),
        "provenance": {
            "command": "python train/reranker.py --data DATA",
            "pieces": {name: len(rows.pieces) for name, rows in fitted.items()},
            **sha256,
        },
    }
    out = options.models / "reranker.json"
    out.write_text(json.dumps(model, indent=1) + "\n")
    print(out, json.dumps(numbers), model["bias"])


if __name__ == "__main__":
    main()
