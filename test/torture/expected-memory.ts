/** What a memory must hold: every acknowledged change, and of one that was under way when the
 *  runtime died, document by document, either outcome. */

export interface TortureDocument {
  id: string;
  text: string;
  metadata: { shelf: number; turn: number };
  /** Unit-length, f32 [dim]. */
  vector: Float32Array;
}

/** Documents by id, in the order of their last change. */
export type Contents = ReadonlyMap<string, TortureDocument>;

/** A change of contents; `contents` replaces all of them at once. */
export type Effect =
  | { kind: "put"; documents: TortureDocument[] }
  | { kind: "remove"; ids: string[] }
  | { kind: "replace"; contents: readonly Contents[] };

/** What an export says of a document. */
export interface Found {
  text: string;
  metadata: { [field: string]: unknown };
}

function isSame(document: TortureDocument | undefined, found: Found | undefined): boolean {
  if (document === undefined || found === undefined) return document === found;
  const { shelf, turn } = found.metadata;
  return (
    document.text === found.text &&
    document.metadata.shelf === shelf &&
    document.metadata.turn === turn
  );
}

export class ExpectedMemory {
  #contents = new Map<string, TortureDocument>();

  get contents(): Contents {
    return this.#contents;
  }

  /** A copy that later changes leave alone. */
  copy(): Contents {
    return new Map(this.#contents);
  }

  /** An acknowledged change. A document put as it is already stays as it is, in its place. */
  apply(effect: Exclude<Effect, { kind: "replace" }>): void {
    if (effect.kind === "remove") for (const id of effect.ids) this.#contents.delete(id);
    else for (const document of effect.documents) this.#put(document);
  }

  #put(document: TortureDocument): void {
    if (isSame(this.#contents.get(document.id), document)) return;
    this.#contents.delete(document.id);
    this.#contents.set(document.id, document);
  }

  /** Takes what was found after a crash as what became of the change under way, null for none.
   *  Throws, naming a document, where that is neither of its outcomes or anything else is not as
   *  it was acknowledged. */
  settle(pending: Effect | null, found: ReadonlyMap<string, Found>): void {
    if (pending?.kind === "replace") this.replace(pending.contents, found);
    else if (pending?.kind === "put")
      for (const document of pending.documents)
        if (isSame(document, found.get(document.id))) this.#put(document);
    if (pending?.kind === "remove")
      for (const id of pending.ids) if (!found.has(id)) this.#contents.delete(id);
    this.check(found);
  }

  /** Takes which of several contents was found; whether it is one of them. */
  replace(outcomes: readonly Contents[], found: ReadonlyMap<string, Found>): boolean {
    const taken = outcomes.find((contents) => difference(contents, found) === null);
    if (taken !== undefined) this.#contents = new Map(taken);
    return taken !== undefined;
  }

  /** Throws unless exactly these documents were found, each as it was acknowledged. */
  check(found: ReadonlyMap<string, Found>): void {
    const problem = difference(this.#contents, found);
    if (problem !== null) throw new Error(problem);
  }
}

/** The first document that is not as expected, in words; null where all are. */
function difference(contents: Contents, found: ReadonlyMap<string, Found>): string | null {
  for (const [id, document] of contents) {
    const there = found.get(id);
    if (there === undefined) return `${id} was acknowledged and is lost`;
    if (!isSame(document, there))
      return `${id} has ${JSON.stringify(there)}, acknowledged was ${JSON.stringify(document)}`;
  }
  for (const id of found.keys()) if (!contents.has(id)) return `${id} is back, or was never there`;
  return null;
}
