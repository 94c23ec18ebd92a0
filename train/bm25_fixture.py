"""Scores of bm25s on a small corpus, for test/index/bm25.fixture.json. Needs `pip install bm25s`.

    python train/bm25_fixture.py > test/index/bm25.fixture.json
"""

import json
import random

import bm25s

VARIANTS = {name: name for name in ("robertson", "lucene", "atire", "bm25l")} | {"bm25plus": "bm25+"}
SETTINGS = [(1.5, 0.75, 0.5), (0.9, 0.4, 1.0), (2.0, 1.0, 0.25), (1.2, 0.0, 0.5)]
TERMS = 12


def corpus(rng):
    """Token lists in which term t is about t times as rare as term 0."""
    weights = [1 / (t + 1) for t in range(TERMS)]
    sizes = [1, 2, 3, 5, 8, 13, 21, 34, 5, 5, 9, 17]
    units = [rng.choices(range(TERMS), weights, k=size) for size in sizes]
    return units + [list(range(TERMS))]  # every term occurs


def main():
    rng = random.Random(4)
    units = corpus(rng)
    queries = [[0], [3], [11, 2], [0, 1, 2], [5, 5, 7], [4, 0, 9, 4, 10]]
    vocabulary = {str(t): t for t in range(TERMS)}
    cases = []
    for variant, method in VARIANTS.items():
        for k1, b, delta in SETTINGS:
            index = bm25s.BM25(k1=k1, b=b, delta=delta, method=method, dtype="float64")
            index.index((units, vocabulary), show_progress=False)
            scores = [index.get_scores_from_ids(query).tolist() for query in queries]
            options = {"variant": variant, "k1": k1, "b": b, "delta": delta}
            cases.append({"options": options, "scores": scores})
    version = bm25s.__version__
    print(json.dumps({"bm25s": version, "units": units, "queries": queries, "cases": cases}))


if __name__ == "__main__":
    main()
