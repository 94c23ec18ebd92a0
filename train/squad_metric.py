"""Exact match and token F1 of SQuAD, as its official evaluation script computes them."""

import re
import string
from collections import Counter

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = set(string.punctuation)


def normalize(text: str) -> str:
    """Lower case, without punctuation, articles and superfluous blanks."""
    text = "".join(c for c in text.lower() if c not in PUNCTUATION)
    return " ".join(ARTICLES.sub(" ", text).split())


def exact(answer: str, golds: list[str]) -> float:
    """1 if the answer equals any gold answer, else 0. No gold: 1 for the empty answer."""
    return float(any(normalize(answer) == normalize(gold) for gold in golds or [""]))


def f1(answer: str, golds: list[str]) -> float:
    """The best token F1 with any gold answer, 0 to 1. No gold: 1 for the empty answer, else 0."""
    return max(_f1(normalize(answer).split(), normalize(g).split()) for g in golds or [""])


def _f1(answer: list[str], gold: list[str]) -> float:
    if not answer or not gold:
        return float(answer == gold)
    common = sum((Counter(answer) & Counter(gold)).values())
    return 2 * common / (len(answer) + len(gold))
