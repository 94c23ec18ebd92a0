"""bm25s with its numba backend on one thread, speaking as lexical.mjs does.

    python lexical.py CORPUS, after pip install bm25s numba
"""

import json
import os
import sys
import time

os.environ["NUMBA_NUM_THREADS"] = "1"
import bm25s  # noqa: E402

K = 10


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        lines = file.read().split("\n")
    gap = lines.index("")
    vocabulary = {}
    number = lambda term: vocabulary.setdefault(term, len(vocabulary))  # noqa: E731
    passages = [[number(term) for term in line.split()] for line in lines[:gap]]
    queries = [
        [vocabulary[term] for term in line.split() if term in vocabulary]
        for line in lines[gap + 1 :]
    ]
    start = time.process_time()
    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75, backend="numba")
    index.index((passages, vocabulary), show_progress=False)
    print(json.dumps({"fillMs": (time.process_time() - start) * 1000, "heapBytes": 0}), flush=True)
    for line in sys.stdin:
        first, count = map(int, line.split())
        asked = [queries[i % len(queries)] for i in range(first, first + count)]
        start = time.process_time()
        found, scores = index.retrieve(asked, k=K, show_progress=False, n_threads=1)
        cpu = (time.process_time() - start) * 1000
        answer = {"cpuMs": cpu, "hits": found.tolist(), "scores": scores.tolist()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
