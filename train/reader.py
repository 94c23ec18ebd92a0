"""The reader: a question and a passage to the span that answers it, or to 'not here'."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bert import Bert
from data import Passage
from wordpiece import CLS, PAD, SEP

TOKENS_MAX = 384
WINDOW_STRIDE = 128
ANSWER_TOKENS_MAX = 30


class Reader(nn.Module):
    """Bert with a head for the two ends of the span and one, on [CLS], for answerability."""

    def __init__(self, bert: Bert) -> None:
        super().__init__()
        self.bert = bert
        self.qa_span = nn.Linear(bert.config.dim, 2)
        self.qa_answerable = nn.Linear(bert.config.dim, 1)

    def forward(self, ids: Tensor, types: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """ids, types i64 [b, t], mask bool [b, t] -> ends f32 [b, t, 2], answerable f32 [b]."""
        hidden = self.bert(ids, types, mask)
        ends = self.qa_span(hidden).float()
        return ends, self.qa_answerable(hidden[:, 0]).float()[:, 0]


@dataclass
class Pair:
    """One input row. Token i of the passage stands at `passage_at + i - offset`."""

    ids: list[int]
    passage_at: int
    offset: int = 0
    start: int = 0  # target positions in ids; 0 is [CLS]: no answer here
    end: int = 0


def make_pair(question: Sequence[int], passage: Sequence[int], offset: int = 0) -> Pair:
    """[CLS] question [SEP] passage [SEP]."""
    return Pair([CLS, *question, SEP, *passage, SEP], len(question) + 2, offset)


def collate(pairs: list[Pair], multiple: int = 1) -> dict[str, Tensor]:
    """A padded batch: ids, types, mask [b, t] and `allowed` [b, t], true on [CLS] and passage."""
    width = -(-max(len(p.ids) for p in pairs) // multiple) * multiple
    places = torch.arange(width)[None]
    length = torch.tensor([[len(p.ids)] for p in pairs])
    at = torch.tensor([[p.passage_at] for p in pairs])
    second = (places >= at) & (places < length)
    return {
        "ids": torch.tensor([p.ids + [PAD] * (width - len(p.ids)) for p in pairs]),
        "types": second.long(),
        "mask": places < length,
        "allowed": (second & (places < length - 1)) | (places == 0),
        "start": torch.tensor([p.start for p in pairs]),
        "end": torch.tensor([p.end for p in pairs]),
    }


@dataclass
class Reading:
    """What the reader found in one window: token positions in the passage, and the logits."""

    first: int
    last: int
    span: float  # start logit + end logit of the best span
    null: float  # start logit + end logit of [CLS]
    answerable: float


def margin(reading: Reading) -> float:
    """How much better the span is than no answer; comparable between passages."""
    return reading.span - reading.null


def windows(question: list[int], passage: Passage) -> list[Pair]:
    """The rows that cover a passage: one, unless it is too long."""
    room = TOKENS_MAX - 3 - len(question)
    pairs = []
    for at in range(0, max(1, len(passage.tokens)), WINDOW_STRIDE):
        pairs.append(make_pair(question, passage.tokens[at : at + room], at))
        if at + room >= len(passage.tokens):
            break
    return pairs


def best_spans(ends: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """ends [b, t, 2], allowed [b, t] -> (score, first, last), each [b]: the best pair
    first <= last < first + ANSWER_TOKENS_MAX among passage tokens; [CLS] is not one.
    """
    inside = allowed.clone()
    inside[:, 0] = False
    masked = ends.masked_fill(~inside[:, :, None], -1e9)
    scores = masked[:, :, None, 0] + masked[:, None, :, 1]
    width = ends.shape[1]
    legal = torch.ones(width, width, dtype=torch.bool).triu().tril(ANSWER_TOKENS_MAX - 1)
    best, where = scores.masked_fill(~legal, -2e9).flatten(1).max(1)
    return best, where // width, where % width


@torch.inference_mode()
def read(model: Reader, pairs: list[Pair], batch: int = 32) -> list[Reading]:
    """One reading per row, in the order given."""
    model.eval()
    order = sorted(range(len(pairs)), key=lambda i: len(pairs[i].ids))
    out: list[Reading | None] = [None] * len(pairs)
    for at in range(0, len(order), batch):
        rows = order[at : at + batch]
        inputs = collate([pairs[i] for i in rows])
        ends, answerable = model(inputs["ids"], inputs["types"], inputs["mask"])
        best, first, last = best_spans(ends, inputs["allowed"])
        null = ends[:, 0].sum(1)
        for j, i in enumerate(rows):
            shift = pairs[i].offset - pairs[i].passage_at
            out[i] = Reading(
                int(first[j]) + shift, int(last[j]) + shift,
                float(best[j]), float(null[j]), float(answerable[j]),
            )  # fmt: skip
    return [reading for reading in out if reading]


def answer_text(passage: Passage, reading: Reading) -> str:
    """The characters that the span covers."""
    return passage.text[passage.offsets[reading.first][0] : passage.offsets[reading.last][1]]
