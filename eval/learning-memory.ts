/** A memory object of notes without storage: exact cosines over all, in this process. */
import { dequantizeVector } from "../index/vectors.ts";
import type { PreparedDocument, SearchHit, SearchRequest } from "../src/memory/types.ts";

export class NotesInMemory {
  readonly #documents = new Map<string, PreparedDocument>();

  async upsert(changes: { document: PreparedDocument }[]) {
    for (const { document } of changes) this.#documents.set(document.id, document);
  }

  async get(id: string) {
    return this.#documents.get(id) ?? null;
  }

  async remove(ids: string[]): Promise<number> {
    return ids.filter((id) => this.#documents.delete(id)).length;
  }

  /** Of the content's documents: none changes. */
  async find(ids: string[]) {
    return ids.map(() => ({ version: 1 }));
  }

  async search({ vector, k }: SearchRequest): Promise<{ hits: SearchHit[] }> {
    const hits = Array.from(this.#documents.values(), (document): SearchHit => {
      const own = dequantizeVector(document.passages[0]!.vector);
      const cosine = own.reduce((sum, value, i) => sum + value * vector![i]!, 0);
      const { id, text, title, metadata } = document;
      const place = { document_id: id, passage_id: `${id}#0`, start: 0, end: text.length };
      const scores = { score: cosine, cosine, bm25: null };
      return { ...place, ...scores, text, title, metadata, vector: own, version: 1 };
    });
    return { hits: hits.sort((a, b) => b.score - a.score).slice(0, k) };
  }
}
