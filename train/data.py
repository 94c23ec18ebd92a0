"""SQuAD-layout files to tokenized questions and passages."""

import json
import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from pathlib import Path

from tokenizers import Tokenizer

QUESTION_TOKENS_MAX = 64
SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+")
# Held out of training to choose between models and to fit the thresholds: about a tenth of
# squad/train, three articles of different kinds. They are in v1.1 and in v2.0.
DEV_ARTICLES = {"Rhine", "Oxygen", "Private_school"}


@dataclass
class Passage:
    """A tokenized text; tokens[i] covers text[offsets[i][0]:offsets[i][1]]."""

    text: str
    tokens: list[int]
    offsets: list[tuple[int, int]]
    sentence_starts: list[int]  # token positions, the first is 0


@dataclass
class Question:
    """A question on a passage. `spans` are token positions, both ends included; none means that
    the passage has no answer. `answers` are the annotators' texts.
    """

    id: str
    text: str
    tokens: list[int]
    passage: Passage
    answers: list[str]
    spans: list[tuple[int, int]]
    negatives: list[Passage] = field(default_factory=list)


def tokenize_passage(tokenizer: Tokenizer, text: str) -> Passage:
    """Tokens, offsets and where sentences start, by punctuation."""
    encoding = tokenizer.encode(text, add_special_tokens=False)
    begins = [begin for begin, _ in encoding.offsets]
    starts = {bisect_left(begins, m.end()) for m in SENTENCE_END.finditer(text)}
    inside = sorted(s for s in starts if 0 < s < len(begins))
    return Passage(text, encoding.ids, encoding.offsets, [0, *inside])


def token_span(passage: Passage, begin: int, end: int) -> tuple[int, int] | None:
    """The tokens that touch text[begin:end], or None when there are none."""
    first = bisect_right([e for _, e in passage.offsets], begin)
    last = bisect_left([b for b, _ in passage.offsets], end) - 1
    return (first, last) if first <= last else None


def articles(path: Path) -> list[dict]:
    """The `data` list of a file in SQuAD's layout."""
    return json.loads(path.read_text())["data"]


def load_questions(tokenizer: Tokenizer, found: list[dict]) -> list[Question]:
    """Every question of some articles; those on one paragraph share one Passage."""
    questions: list[Question] = []
    for paragraph in (p for article in found for p in article["paragraphs"]):
        passage = tokenize_passage(tokenizer, paragraph["context"])
        for qa in paragraph["qas"]:
            golds = [] if qa.get("is_impossible") else qa["answers"]
            spans = []
            for gold in golds:
                text = gold["text"].strip()
                begin = gold["answer_start"] + len(gold["text"]) - len(gold["text"].lstrip())
                span = token_span(passage, begin, begin + len(text))
                if span:
                    spans.append(span)
            if golds and not spans:
                continue
            text = qa["question"].strip()
            tokens = tokenizer.encode(text, add_special_tokens=False).ids[:QUESTION_TOKENS_MAX]
            answers = [gold["text"] for gold in golds]
            questions.append(Question(str(qa["id"]), text, tokens, passage, answers, spans))
    return questions


def squad(tokenizer: Tokenizer, data: Path, part: str, version: str) -> list[Question]:
    """A part of SQuAD; `part` is train (without DEV_ARTICLES), dev, calibrate or test."""
    file = "train" if part == "dev" else part
    found = articles(data / f"squad/squad-v{version}-{file}.json")
    if file == "train":
        found = [a for a in found if (a["title"] in DEV_ARTICLES) == (part == "dev")]
    return load_questions(tokenizer, found)
