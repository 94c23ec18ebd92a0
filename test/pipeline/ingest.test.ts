import { beforeEach, expect, it } from "vitest";
import { ServiceError } from "../../src/errors.ts";
import {
  DOCUMENT_BYTES_MAX,
  PASSAGE_TOKENS_TARGET,
  UPSERT_PASSAGES_MAX,
} from "../../src/limits.ts";
import { documentBytes } from "../../src/memory/document-size.ts";
import type { ChangeOutcome } from "../../src/memory/shard-types.ts";
import type { PreparedDocument } from "../../src/memory/types.ts";
import {
  type IngestEncoder,
  type IngestMemory,
  ingest,
  type Upsert,
} from "../../src/pipeline/ingest.ts";
import type { SubmittedDocument } from "../../src/pipeline/types.ts";

const DIM = 4;
/** A heading opens a passage once the one before has so many tokens. */
const SECTION_WORDS = PASSAGE_TOKENS_TARGET / 4;

/** Keeps documents in a map, as a memory of one shard does. */
class MapMemory implements IngestMemory {
  readonly stored = new Map<string, { document: PreparedDocument; version: number }>();
  /** How many documents came with each call. */
  readonly calls: number[] = [];
  refuse: (upsert: Upsert) => ServiceError | null = () => null;
  readonly lost = new Set<string>();

  async find(ids: string[]) {
    return ids.map((id) => {
      const known = this.stored.get(id);
      if (known === undefined) return null;
      const { digest, time } = known.document;
      return { digest, time, version: known.version, lost: this.lost.has(id) };
    });
  }

  async upsert(changes: Upsert[]): Promise<ChangeOutcome[]> {
    this.calls.push(changes.length);
    for (const change of changes) {
      const refusal = this.refuse(change);
      if (refusal !== null) throw refusal;
    }
    return changes.map(({ document }) => {
      const { id, passages } = document;
      const version = (this.stored.get(id)?.version ?? 0) + 1;
      this.stored.set(id, { document, version });
      return { id, status: "stored", version, passages: passages.length, error: null };
    });
  }
}

/** A token a word; the vector of a text says how long it is. */
class WordEncoder implements IngestEncoder {
  readonly dim = DIM;
  readonly embedded: string[] = [];

  countTokens(text: string): number {
    return text.split(/\s+/).filter((word) => word !== "").length;
  }

  embed(texts: readonly string[]): Float32Array[] {
    this.embedded.push(...texts);
    return texts.map((text) => Float32Array.of(1, text.length, 0, 0));
  }
}

let memory: MapMemory;
let encoder: WordEncoder;
beforeEach(() => {
  memory = new MapMemory();
  encoder = new WordEncoder();
});

function submitted(rest: Partial<SubmittedDocument>): SubmittedDocument {
  return {
    ...{ id: null, text: "the heron is back", title: null, metadata: {}, expires_at: null },
    ...{ time: null, content_type: "text/plain", if_version: null, embedding: null },
    ...rest,
  };
}

const load = (...documents: Partial<SubmittedDocument>[]) =>
  ingest(memory, encoder, documents.map(submitted));

it("what is new is stored, what is the same is not, and both have their versions", async () => {
  const first = await load({ id: "a" }, { id: "b", text: "two herons" });
  expect(first).toMatchObject({ upserted: 2, unchanged: 0, passages: 2, errors: [] });
  const second = await load({ id: "a" }, { id: "b", text: "three herons" });
  expect(second).toMatchObject({ upserted: 1, unchanged: 1, passages: 1 });
  expect(second.documents.sort((x, y) => x.index - y.index)).toEqual([
    { index: 0, id: "a", version: 1, unchanged: true },
    { index: 1, id: "b", version: 2, unchanged: false },
  ]);
  expect(encoder.embedded).toEqual(["the heron is back", "two herons", "three herons"]);
});

it("past what a call may have embedded, only documents with a vector are taken", async () => {
  const documents = ["a", "b", "c", "d"].map((id) => submitted({ id, text: `${id} heron` }));
  documents[3]!.embedding = Float32Array.of(1, 0, 0, 0);
  const outcome = await ingest(memory, encoder, documents, 2);
  expect(outcome.documents.map(({ id }) => id).sort()).toEqual(["a", "b", "d"]);
  expect(outcome.errors).toMatchObject([{ index: 2, code: "body_too_large" }]);
  expect(await ingest(memory, encoder, documents, 2)).toMatchObject({ upserted: 1, unchanged: 3 });
});

it.each<Partial<SubmittedDocument>>([
  { text: "the heron is back." },
  { title: "Birds" },
  { metadata: { a: 1 } },
  { metadata: { a: { b: [1, 2] } } },
  { expires_at: 5_000_000_000_000 },
  { content_type: "text/markdown" },
  { embedding: Float32Array.of(1, 0, 0, 0) },
  { time: 5 },
])("a document with %j is another one than without", async (rest) => {
  await load({ id: "a" });
  expect(await load({ id: "a", ...rest })).toMatchObject({ upserted: 1, unchanged: 0 });
  expect(await load({ id: "a", ...rest })).toMatchObject({ upserted: 0, unchanged: 1 });
});

it("the order of metadata's fields, and a time that was not told, change nothing", async () => {
  await load({ id: "a", metadata: { x: 1, y: { p: 1, q: 2 } }, time: 7 });
  const again = await load({ id: "a", metadata: { y: { q: 2, p: 1 }, x: 1 } });
  expect(again).toMatchObject({ unchanged: 1, upserted: 0 });
  expect(memory.stored.get("a")!.document.time).toBe(7);
});

it("a document's time is when it is stored, where it has none of its own", async () => {
  const before = Date.now();
  await load({ id: "a" });
  expect(memory.stored.get("a")!.document.time).toBeGreaterThanOrEqual(before);
  expect(memory.stored.get("a")!.document.time).toBeLessThanOrEqual(Date.now());
});

it("without an id the same content is the same document, whatever its time", async () => {
  const first = await load({ text: "x" });
  const second = await load({ text: "x", time: 9 }, { text: "y" });
  expect(second.documents.map(({ id }) => id)).toContain(first.documents[0]!.id);
  expect(memory.stored.size).toBe(2);
});

it("a vector that was brought is every passage's, and comes back from its eight bits", async () => {
  const text = Array.from({ length: 500 }, (_, i) => `word${i}`).join(" ");
  const embedding = Float32Array.of(0.1, -3, 2, 0.7);
  await load({ id: "a", text, embedding });
  const { passages, brought } = memory.stored.get("a")!.document;
  expect(brought).toBe(true);
  expect(passages.length).toBeGreaterThan(2);
  for (const { vector } of passages) expect(vector).toEqual(passages[0]!.vector);
  expect(encoder.embedded).toEqual([]);
  const { qs, scale } = passages[0]!.vector;
  const exported = Float32Array.from(qs, (q) => q * scale);
  const again = await load({ id: "a", text, embedding: exported });
  expect(again).toMatchObject({ unchanged: 1, upserted: 0 });
});

it("eight bits of a vector's values are stable: 1,000 random ones come back the same", async () => {
  const random = seeded(11);
  const vectors = Array.from({ length: 1_000 }, () =>
    Float32Array.from({ length: DIM }, () => (random() - 0.5) * 10 ** (random() * 6 - 3)),
  );
  const documents = vectors.map((embedding, i) => ({ id: `${i}`, embedding }));
  await load(...documents);
  const exported = documents.map(({ id }) => {
    const { qs, scale } = memory.stored.get(id)!.document.passages[0]!.vector;
    return { id, embedding: Float32Array.from(qs, (q) => q * scale) };
  });
  expect(await load(...exported)).toMatchObject({ unchanged: 1_000, upserted: 0 });
});

it.each<[string, Float32Array]>([
  ["3 dimensions", Float32Array.of(1, 2, 3)],
  ["all zeros", new Float32Array(DIM)],
  ["not finite", Float32Array.of(1, Number.NaN, 0, 0)],
])("a vector with %s is refused and holds up no other document", async (fault, embedding) => {
  const outcome = await load({ id: "a", embedding }, { id: "b" });
  expect(outcome).toMatchObject({ upserted: 1, errors: [{ index: 0, code: "invalid_request" }] });
  expect(outcome.errors[0]!.message).toContain(fault);
});

it("a version that is wanted is checked before anything is embedded", async () => {
  await load({ id: "a" });
  encoder.embedded.length = 0;
  const outcome = await load(
    { id: "a", text: "x", if_version: 2 },
    { id: "a2", text: "x", if_version: 1 },
    { id: "b", text: "y", if_version: 0 },
    { id: "a", if_version: 1 },
  );
  expect(outcome.errors.map(({ index, code }) => [index, code])).toEqual([[1, "version_conflict"]]);
  expect(outcome).toMatchObject({ upserted: 1, unchanged: 1 });
  expect(encoder.embedded).toEqual(["y"]);
  const stale = await load({ id: "a", if_version: 0 }, { id: "b", text: "z", if_version: 7 });
  expect(stale.errors.map(({ code }) => code)).toEqual(["version_conflict", "version_conflict"]);
});

it("of one id in one call the last document counts", async () => {
  expect(await load({ id: "a", text: "x" }, { id: "a", text: "y" })).toMatchObject({ upserted: 1 });
  expect(memory.stored.get("a")!.document.text).toBe("y");
});

it("batches hold so many passages at most, and a document is never parted", async () => {
  const text = Array.from({ length: 400 }, () => "word").join(" ");
  const count = Math.ceil((UPSERT_PASSAGES_MAX * 1.5) / 2);
  const documents = Array.from({ length: count }, (_, i) => ({ id: `${i}`, text }));
  const outcome = await load(...documents);
  expect(outcome).toMatchObject({ upserted: count, passages: count * 2 });
  expect(memory.calls).toEqual([UPSERT_PASSAGES_MAX / 2, count - UPSERT_PASSAGES_MAX / 2]);
});

it("a batch that is refused as a whole is stored one by one", async () => {
  memory.refuse = ({ document }) =>
    document.id === "b" ? new ServiceError("memory_full", "no room") : null;
  const outcome = await load({ id: "a" }, { id: "b" }, { id: "c" });
  expect(outcome).toMatchObject({ upserted: 2, errors: [{ index: 1, code: "memory_full" }] });
  expect([...memory.stored.keys()]).toEqual(["a", "c"]);
});

it.each(["memory_busy", "starting", "namespace_not_found"] as const)(
  "what is no document's fault, as %s, is the call's",
  async (code) => {
    memory.refuse = () => new ServiceError(code, "not now");
    await expect(load({ id: "a" }, { id: "b" })).rejects.toMatchObject({ code });
    expect(memory.calls).toEqual([2]);
  },
);

it("titles are embedded with the text", async () => {
  await load({ id: "a", title: "Birds", text: "  the heron\n" });
  expect(encoder.embedded).toEqual(["Birds\nthe heron"]);
});

it("HTML is stored as the Markdown that it is read as, and comes again as the same", async () => {
  const text = "<title>Birds</title><h1>Herons</h1><p>The heron is back.</p><script>x()</script>";
  await load({ id: "a", text, content_type: "text/html" });
  const { document } = memory.stored.get("a")!;
  expect(document).toMatchObject({ content_type: "text/markdown", title: "Birds" });
  expect(document.text).toContain("# Herons");
  expect(document.text).not.toContain("x()");
  expect(document.passages[0]!.heading_path).toEqual(["Herons"]);
  expect(await load({ id: "a", text, content_type: "text/html" })).toMatchObject({ unchanged: 1 });
  const { content_type, title } = document;
  const exported = { id: "a", text: document.text, content_type, title };
  expect(await load(exported)).toMatchObject({ unchanged: 1, upserted: 0 });
  const named = await load({ id: "b", text, content_type: "text/html", title: "Mine" });
  expect(named.upserted).toBe(1);
  expect(memory.stored.get("b")!.document.title).toBe("Mine");
});

it("a page that says nothing is refused and holds up no other document", async () => {
  const blank = { id: "a", text: "<script>x()</script>", content_type: "text/html" as const };
  const outcome = await load(blank, { id: "b" });
  expect(outcome).toMatchObject({ upserted: 1, errors: [{ index: 0, code: "invalid_request" }] });
});

it("Markdown's headings stand above its passages, and plain text has none", async () => {
  const text = `# Birds\n\n## Herons\n\n${"The heron is back. ".repeat(60)}`;
  await load({ id: "m", text, content_type: "text/markdown" }, { id: "p", text });
  const paths = (id: string) =>
    memory.stored.get(id)!.document.passages.map(({ heading_path }) => heading_path);
  expect(paths("m").at(-1)).toEqual(["Birds", "Herons"]);
  for (const path of paths("p")) expect(path).toEqual([]);
});

it("a document that lost vectors is stored again, though it is the same", async () => {
  const both = [{ id: "a" }, { id: "b" }];
  await load(...both);
  memory.lost.add("a");
  const { documents } = await load(...both);
  expect(documents.map(({ id, version, unchanged }) => [id, version, unchanged]).sort()).toEqual([
    ["a", 2, false],
    ["b", 1, true],
  ]);
});

it("a document that no call could carry is refused before it is embedded", async () => {
  // Every passage has five long headings above it; six bytes for each of their characters.
  const markdown = (sections: number) => {
    const above = [1, 2, 3, 4, 5].map((depth) => `${"#".repeat(depth)} ${"h".repeat(200)}\n`);
    const section = `###### s\n\n${"a ".repeat(SECTION_WORDS)}\n\n`;
    return above.join("") + section.repeat(sections);
  };
  const document = (sections: number) => {
    return { id: `${sections}`, text: markdown(sections), content_type: "text/markdown" as const };
  };
  const outcome = await load(document(4_000), document(6_000), document(4_001));
  expect(outcome.errors).toMatchObject([
    { index: 1, code: "invalid_request", message: expect.stringContaining("send it in parts") },
  ]);
  expect(outcome.errors[0]!.message).toContain(`the limit is ${DOCUMENT_BYTES_MAX}`);
  expect(memory.calls).toEqual([1, 1]); // neither goes together with another in one call
  for (const { document } of memory.stored.values()) {
    expect(documentBytes(document, document.passages, DIM)).toBeLessThan(DOCUMENT_BYTES_MAX);
    expect(document.passages.at(-1)!.heading_path.length).toBe(6);
    const line = JSON.stringify(document).length;
    expect(documentBytes(document, document.passages, DIM)).toBeGreaterThan(line);
  }
  expect(encoder.embedded.length).toBeLessThan(8_010);
});

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
