"""A small BM25, to find passages that look right and lack the answer, and to imitate retrieval."""

import math
import re
from collections import Counter, defaultdict

WORD = re.compile(r"\w\w+")
K1, B = 1.2, 0.75


class Bm25:
    """An index over texts; Lucene's formula, no stemming."""

    def __init__(self, texts: list[str]) -> None:
        counts = [Counter(WORD.findall(text.lower())) for text in texts]
        lengths = [sum(c.values()) for c in counts]
        average = sum(lengths) / max(1, len(lengths))
        self.postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for i, (count, length) in enumerate(zip(counts, lengths, strict=True)):
            for word, tf in count.items():
                weight = tf / (tf + K1 * (1 - B + B * length / average))
                self.postings[word].append((i, weight))
        self.size = len(texts)

    def top(self, query: str, k: int) -> list[int]:
        """The k best texts' positions, best first; ties by position."""
        scores: dict[int, float] = defaultdict(float)
        for word in WORD.findall(query.lower()):
            posting = self.postings.get(word, [])
            idf = math.log(1 + (self.size - len(posting) + 0.5) / (len(posting) + 0.5))
            for i, weight in posting:
                scores[i] += idf * weight
        return sorted(scores, key=lambda i: (-scores[i], i))[:k]
