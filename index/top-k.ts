/** Scored ids and the best of them. A tie goes to the lower id, so a ranking depends on neither the
 *  order of arrival nor the engine's sort. */
export interface Scored {
  id: number;
  score: number;
}

/** Whether a ranks before b. */
function before(a: Scored, b: Scored): boolean {
  return a.score > b.score || (a.score === b.score && a.id < b.id);
}

/** A binary heap of at most k entries with the worst on top: O(n log k) in all. */
export class TopK {
  readonly #heap: Scored[] = [];
  readonly #k: number;

  constructor(k: number) {
    this.#k = k;
  }

  push(id: number, score: number): void {
    const heap = this.#heap;
    if (heap.length < this.#k) {
      heap.push({ id, score });
      this.#up(heap.length - 1);
      return;
    }
    const worst = heap[0];
    if (worst === undefined || score < worst.score) return;
    if (score === worst.score && id > worst.id) return;
    heap[0] = { id, score };
    this.#down();
  }

  /** Best first; the heap stays as it is. */
  sorted(): Scored[] {
    return this.#heap.toSorted((a, b) => b.score - a.score || a.id - b.id);
  }

  #up(at: number): void {
    const heap = this.#heap;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (before(heap[at]!, heap[parent]!)) return;
      [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
      at = parent;
    }
  }

  #down(): void {
    const heap = this.#heap;
    for (let at = 0; ; ) {
      let worst = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < heap.length && before(heap[worst]!, heap[child]!)) worst = child;
      if (worst === at) return;
      [heap[at], heap[worst]] = [heap[worst]!, heap[at]!];
      at = worst;
    }
  }
}
