import { expect, it } from "vitest";
import { METADATA_BYTES_MAX } from "../../src/limits.ts";
import type { StoredDocument } from "../../src/memory/types.ts";
import { type IngestEncoder, type Upsert, versionConflict } from "../../src/pipeline/ingest.ts";
import { type RetitleMemory, retitle } from "../../src/pipeline/retitle.ts";

const STORED: StoredDocument = {
  ...{ id: "a", text: "The heron.", title: "Birds", metadata: { n: 1, old: true } },
  ...{ expires_at: null, passages: 1, updated_at: 1, time: 5, content_type: "text/plain" },
  ...{ version: 3, brought: false },
};

/** One document that others change before each of the first `changes` writes. */
function start(stored: StoredDocument | null, changes = 0) {
  const embedded: string[] = [];
  const upserts: Upsert[] = [];
  let version = stored?.version ?? 0;
  const memory: RetitleMemory = {
    get: async () => (stored === null ? null : { ...stored, version }),
    find: async () => [{ digest: "another", version, time: 5 }],
    upsert: async ([change]) => {
      upserts.push(change!);
      if (upserts.length <= changes) version += 1;
      const wanted = change!.if_version!;
      if (wanted !== version) {
        const { code, message } = versionConflict("a", version, wanted);
        return [{ id: "a", status: "refused", version, passages: 0, error: { code, message } }];
      }
      version += 1;
      return [{ id: "a", status: "stored", version, passages: 1, error: null }];
    },
  };
  const encoder: IngestEncoder = {
    dim: 2,
    countTokens: (text) => text.split(" ").length,
    embed: (texts) => {
      embedded.push(...texts);
      return texts.map(() => Float32Array.of(1, 0));
    },
  };
  const run = (patch: object, ifVersion: number | null = null) =>
    retitle(memory, async () => encoder, "a", { metadata: null, ...patch }, ifVersion);
  return { embedded, upserts, run };
}

it("a new title is embedded with the text, over the version that was read", async () => {
  const { embedded, upserts, run } = start(STORED);
  expect(await run({ title: "Herons", metadata: { n: 2, old: null } })).toBe(4);
  expect(embedded).toEqual(["Herons\nThe heron."]);
  expect(upserts[0]).toMatchObject({
    if_version: 3,
    document: { title: "Herons", metadata: { n: 2 }, time: 5, text: "The heron." },
  });
  expect(upserts[0]!.document.metadata).not.toHaveProperty("old");
});

it("a title that stays, and a vector that was brought, need nothing of it", async () => {
  expect(await start(STORED).run({ title: "Birds" })).toBeNull();
  const brought = start({ ...STORED, brought: true });
  expect(await brought.run({ title: "Herons" })).toBeNull();
  expect(brought.upserts).toEqual([]);
});

it("patches with titles add up to no more metadata than a document may bring", async () => {
  const most = METADATA_BYTES_MAX - '{"n":1,"old":true,"more":""}'.length;
  const { upserts, run } = start(STORED);
  const patch = (length: number) => ({ title: "Herons", metadata: { more: "x".repeat(length) } });
  await expect(run(patch(most + 1))).rejects.toMatchObject({
    code: "invalid_request",
    message: `metadata would have 16385 bytes of JSON, the limit is ${METADATA_BYTES_MAX}`,
  });
  expect(upserts).toEqual([]);
  expect(await run(patch(most))).toBe(4);
});

it("a document that changed meanwhile is read again, four times at most", async () => {
  const twice = start(STORED, 2);
  expect(await twice.run({ title: null })).toBe(6);
  expect(twice.upserts.map(({ if_version }) => if_version)).toEqual([3, 4, 5]);
  const always = start(STORED, 99);
  await expect(always.run({ title: null })).rejects.toMatchObject({ code: "version_conflict" });
  expect(always.upserts).toHaveLength(4);
});

it("a version that is wanted is held to, and is not tried again", async () => {
  const stale = start(STORED);
  await expect(stale.run({ title: "x" }, 2)).rejects.toMatchObject({ code: "version_conflict" });
  expect(stale.upserts).toEqual([]);
  const raced = start(STORED, 1);
  await expect(raced.run({ title: "x" }, 3)).rejects.toMatchObject({ code: "version_conflict" });
  expect(raced.upserts).toHaveLength(1);
});

it("a document that is not there is not found", async () => {
  await expect(start(null).run({ title: "x" })).rejects.toMatchObject({
    code: "document_not_found",
  });
});
