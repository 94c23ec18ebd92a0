"""What one epoch of the reader's training consists of: rows with targets, drawn anew each time."""

import random
from dataclasses import dataclass

from bm25 import Bm25
from data import Passage, Question
from reader import TOKENS_MAX, Pair, make_pair

NEGATIVE_CANDIDATES = 12
NEGATIVES_KEPT = 6
# Half of the rows show a passage as short as the service's, the others as much as fits.
SHORT_WINDOW = (60, 220)


def attach_negatives(questions: list[Question]) -> None:
    """Gives each question the passages that BM25 ranks best and that hold none of its answers."""
    passages = list({id(q.passage): q.passage for q in questions}.values())
    index = Bm25([p.text for p in passages])
    lowered = [p.text.lower() for p in passages]
    for q in questions:
        golds = [answer.lower().strip() for answer in q.answers]
        found = index.top(q.text, NEGATIVE_CANDIDATES)
        free = [i for i in found if not any(gold in lowered[i] for gold in golds)]
        others = [passages[i] for i in free if passages[i] is not q.passage]
        q.negatives = others[:NEGATIVES_KEPT]


def crop(passage: Passage, keep: tuple[int, int], room: int, chance: random.Random) -> range:
    """Token positions of a window of whole sentences, at most `room` tokens, around `keep`."""
    count = len(passage.tokens)
    if count <= room:
        return range(count)
    bounds = [*passage.sentence_starts, count]
    left = max(i for i, s in enumerate(bounds) if s <= keep[0])
    right = min(i for i, s in enumerate(bounds) if s > keep[1])
    if bounds[right] - bounds[left] > room:
        slack = max(0, room - (keep[1] - keep[0] + 1))
        start = min(max(0, keep[0] - chance.randint(0, slack)), count - room)
        return range(start, start + room)
    while True:
        sides = []
        if left > 0 and bounds[right] - bounds[left - 1] <= room:
            sides.append((left - 1, right))
        if right < len(bounds) - 1 and bounds[right + 1] - bounds[left] <= room:
            sides.append((left, right + 1))
        if not sides:
            return range(bounds[left], bounds[right])
        left, right = chance.choice(sides)


def room_for(question: Question, chance: random.Random) -> int:
    """How many passage tokens a row may show."""
    if chance.random() < 0.5:
        return chance.randint(*SHORT_WINDOW)
    return TOKENS_MAX - 3 - len(question.tokens)


def positive(q: Question, chance: random.Random) -> Pair:
    """A row with one annotator's span; an unanswerable question gives a null row."""
    if not q.spans:
        return negative(q, q.passage, chance)
    span = chance.choice(q.spans)
    shown = crop(q.passage, span, room_for(q, chance), chance)
    pair = make_pair(q.tokens, q.passage.tokens[shown.start : shown.stop])
    pair.start = span[0] - shown.start + pair.passage_at
    pair.end = min(span[1], shown.stop - 1) - shown.start + pair.passage_at
    return pair


def negative(q: Question, passage: Passage, chance: random.Random) -> Pair:
    """A null row: a window of a passage that does not answer the question."""
    at = chance.randrange(max(1, len(passage.tokens)))
    shown = crop(passage, (at, at), room_for(q, chance), chance)
    return make_pair(q.tokens, passage.tokens[shown.start : shown.stop])


def without_answer(q: Question, chance: random.Random) -> Pair | None:
    """A null row from the question's own passage: the sentences before or after its answers."""
    bounds = [*q.passage.sentence_starts, len(q.passage.tokens)]
    before = max(s for s in bounds if s <= min(first for first, _ in q.spans))
    after = min(s for s in bounds if s > max(last for _, last in q.spans))
    parts = [range(0, before), range(after, bounds[-1])]
    parts = [p for p in parts if len(p) >= 20]
    if not parts:
        return None
    part = chance.choice(parts)
    start, stop = part.start, min(part.stop, part.start + room_for(q, chance))
    text = q.passage.text[q.passage.offsets[start][0] : q.passage.offsets[stop - 1][1]].lower()
    if any(answer.lower().strip() in text for answer in q.answers):
        return None
    return make_pair(q.tokens, q.passage.tokens[start:stop])


@dataclass(frozen=True)
class Share:
    """How often a source's questions appear in an epoch, and how many null rows each brings."""

    positives: float
    retrieved: float = 0.0
    without: float = 0.0


def draw(questions: list[Question], share: Share, chance: random.Random) -> list[Pair]:
    """One epoch's rows of a source. A share of 1.5 draws half of the questions twice."""
    rows: list[Pair] = []

    def picked(part: float) -> list[Question]:
        whole, rest = divmod(part, 1.0)
        extra = chance.sample(questions, round(rest * len(questions)))
        return questions * int(whole) + extra

    rows += [positive(q, chance) for q in picked(share.positives)]
    for q in picked(share.retrieved):
        if q.negatives:
            rows.append(negative(q, chance.choice(q.negatives), chance))
    for q in picked(share.without):
        row = without_answer(q, chance) if q.spans else None
        rows += [row] if row else []
    return rows
