/** Which of an answer's tool calls a part of one belongs to. */
import type { Fields } from "./completion.ts";

/** OpenAI's deltas name their call by its `index`, which clients append by; some servers leave it
 *  out. There a new id begins a call, and without an id a name does; what has neither goes on with
 *  the call before it. */
export class CallPlaces {
  readonly #byId = new Map<string, number>();
  #last = -1;
  #next = 0;

  /** The same deltas, each with its `index`. */
  place(deltas: readonly Fields[]): Fields[] {
    return deltas.map((delta) => {
      const index = (delta.index as number | null | undefined) ?? this.#find(delta);
      this.#last = index;
      this.#next = Math.max(this.#next, index + 1);
      if (delta.id) this.#byId.set(delta.id as string, index);
      return { ...delta, index };
    });
  }

  #find({ id, function: named }: Fields): number {
    if (id) return this.#byId.get(id as string) ?? this.#next;
    const begins = Boolean((named as Fields | null | undefined)?.name);
    return begins || this.#last < 0 ? this.#next : this.#last;
  }
}
