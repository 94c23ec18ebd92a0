/** What a lexicon must do, by a map. */
export class Vocabulary {
  readonly #ids = new Map<string, number>();
  #next = 0;

  /** One past the highest number in use. */
  get limit(): number {
    return this.#next;
  }

  find(term: string): number | undefined {
    return this.#ids.get(term);
  }

  /** The term's number; a new term gets the next one and is appended to `added`. */
  idOf(term: string, added: { id: number; term: string }[]): number {
    const known = this.#ids.get(term);
    if (known !== undefined) return known;
    const id = this.#next;
    this.restore(id, term);
    added.push({ id, term });
    return id;
  }

  /** Puts a stored pair back. */
  restore(id: number, term: string): void {
    this.#ids.set(term, id);
    this.#next = Math.max(this.#next, id + 1);
  }
}
