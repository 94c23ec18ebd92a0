/** The bounds of a namespace's root, each reached exactly. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { codeOf, ServiceError } from "../../src/errors.ts";
import {
  EXPORT_PAGE_CHARS_MAX,
  METADATA_BYTES_MAX,
  PAGE_DOCUMENTS_MAX,
  SEARCH_ATTEMPTS_MAX,
  WORK_FAILURES_MAX,
  WRITES_WAITING_MAX,
} from "../../src/limits.ts";
import type { GatherNode } from "../../src/memory/gather.ts";
import type { Namespace } from "../../src/memory/namespace.ts";
import type { ShardCall } from "../../src/memory/shard-port.ts";
import type { ShowRequest } from "../../src/memory/shard-types.ts";
import { NAMESPACE_DEFAULTS } from "../../src/memory/types.ts";
import { WorkRunner } from "../../src/memory/work-runner.ts";
import { WriteLock } from "../../src/memory/write-lock.ts";
import { prepared, store } from "./documents.ts";
import { asking, listed, pair, type Stepped, settle } from "./random-documents.ts";
import type { SteppedMemory } from "./worker.ts";

/** What an object keeps to itself. */
interface Inside {
  namespace(): Namespace;
  gatherNode(object: string | null): GatherNode;
}

/** Runs a test within the object. */
function within<T>(
  stepped: Stepped,
  test: (memory: SteppedMemory, inside: Inside) => Promise<T>,
): Promise<T> {
  return runInDurableObject(stepped, (object) => {
    const memory = object as unknown as SteppedMemory;
    return test(memory, memory as unknown as Inside);
  });
}

it("so many writes wait for the one that runs, one more is memory_busy", async () => {
  const { stepped } = await pair("bounds/writes");
  await within(stepped, async (memory, inside) => {
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    const running = inside.namespace().writes.run(() => opened);
    const write = () => memory.removeWhere({ nobody: "has this" });
    const waiting = Array.from({ length: WRITES_WAITING_MAX }, write);
    const refused = write().then(() => null, codeOf);
    open();
    await running;
    expect(await refused).toBe("memory_busy");
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => 0));
    expect(await write()).toBe(0);
  });
});

/** Searches while, as often as `times`, the passage ranked first is gone when it is to be shown:
 *  the hits, and of each attempt whether writes waited for it. */
async function searchLosing(name: string, times: number) {
  const { stepped, memory } = await pair(name);
  await store(memory, [prepared("first", "amber amber"), prepared("second", "amber birch")]);
  return within(stepped, async (object, inside) => {
    const locked: boolean[] = [];
    const gatherNode = inside.gatherNode.bind(object);
    inside.gatherNode = (own) => {
      locked.push(inside.namespace().writes.waiting > 0);
      const node = gatherNode(own);
      const losing = locked.length <= times;
      const shard = () => {
        const all = node.shard();
        const show = (request: ShowRequest) => all.show(request).filter((_, i) => i > 0 || !losing);
        return { ...all, show };
      };
      return { ...node, shard };
    };
    const { hits } = await object.search(asking("amber amber", { mode: "bm25" }));
    return { found: hits.map((hit) => hit.document_id), locked };
  });
}

it("a search that loses what it ranked starts anew so often, then writes wait", async () => {
  const free = Array.from({ length: SEARCH_ATTEMPTS_MAX - 1 }, () => false);
  const all = ["first", "second"];
  expect(await searchLosing("bounds/lost-0", 0)).toEqual({ found: all, locked: [false] });
  expect(await searchLosing("bounds/lost-most", SEARCH_ATTEMPTS_MAX - 1)).toEqual({
    ...{ found: all, locked: [...free, true] },
  });
  const { found, locked } = await searchLosing("bounds/lost-always", Number.POSITIVE_INFINITY);
  expect(found).toHaveLength(1);
  expect(locked).toEqual([...free, true]);
});

it("work is given up after so many failures in a row, not by those before a success", async () => {
  const { stepped, memory } = await pair("bounds/failures");
  const ids = Array.from({ length: 12 }, (_, i) => `${i}`);
  await store(
    memory,
    ids.map((id) => prepared(id, "amber")),
  );
  await memory.split();
  const silence = (are: boolean) =>
    within(stepped, async (object) => {
      const work = object.work();
      if (work?.kind !== "split") return expect.unreachable();
      for (const { object: name } of are ? work.targets : []) object.silent.add(name!);
      if (!are) object.silent.clear();
    });
  const failAll = async () => {
    for (let failures = 1; failures < WORK_FAILURES_MAX; failures++) {
      await stepped.tick();
      expect(await stepped.work()).toMatchObject({ failures });
    }
  };
  await silence(true);
  await failAll();
  await silence(false);
  await stepped.tick();
  expect(await stepped.work()).toMatchObject({ phase: "copy", failures: 0 });
  await silence(true);
  await failAll();
  await stepped.tick();
  expect(await stepped.work()).toBe(null);
  const report = await within(stepped, async (_, inside) =>
    inside.namespace().store.report("split"),
  );
  expect(report).toMatchObject({ state: "failed", error: { code: "internal" } });
  expect((await memory.stats()).shards).toHaveLength(1);
  expect((await listed(memory)).map(({ id }) => id)).toEqual(ids);
});

it("work that waits for the vector tier is not given up, and says what it waits for", async () => {
  const { stepped, memory } = await pair("bounds/waiting");
  await store(memory, [prepared("a", "amber")]);
  await memory.split();
  const error = "10000 vectors wait";
  await within(stepped, async (object, inside) => {
    const call: ShardCall = () => Promise.reject(new ServiceError("memory_busy", error));
    const runner = new WorkRunner({ ...inside.namespace().context, call }, new WriteLock(1));
    for (let i = 0; i <= WORK_FAILURES_MAX; i++) expect(await runner.step()).toBe(false);
    expect(object.work()).toMatchObject({ kind: "split", failures: 0, error });
  });
  await settle(stepped);
  expect((await memory.stats()).shards).toHaveLength(2);
});

it("a page of a list or an export has so many documents, however many are asked for", async () => {
  const { twin } = await pair("bounds/pages");
  const ids = Array.from({ length: PAGE_DOCUMENTS_MAX + 1 }, (_, i) => `${i}`);
  await store(
    twin,
    ids.map((id) => prepared(id, "")),
  );
  for (const page of ["list", "export"] as const) {
    const first = await twin[page](null, 2 * PAGE_DOCUMENTS_MAX);
    expect(first.documents.map(({ id }) => id)).toEqual(ids.slice(0, -1));
    const rest = await twin[page](first.cursor, 2 * PAGE_DOCUMENTS_MAX);
    expect([rest.documents.map(({ id }) => id), rest.cursor]).toEqual([ids.slice(-1), null]);
  }
  expect((await twin.export(null)).documents).toHaveLength(PAGE_DOCUMENTS_MAX);
});

it("pages of long metadata fit a reply, and hold every document once", async () => {
  for (const shards of [1, 2]) {
    const memory = env.MEMORY.getByName(`t/long-metadata-${shards}`);
    await memory.configure({ ...NAMESPACE_DEFAULTS, shards });
    const metadata = { note: "n".repeat(METADATA_BYTES_MAX - 100) };
    const ids = Array.from({ length: 300 }, (_, i) => `${i}`);
    const documents = ids.map((id) => prepared(id, "", { metadata }));
    for (let at = 0; at < ids.length; at += 100) await store(memory, documents.slice(at, at + 100));
    for (const page of ["list", "export"] as const) {
      const found: string[] = [];
      const lengths: number[] = [];
      for (let cursor: string | null = null; lengths.length === 0 || cursor !== null; ) {
        const read: { documents: { id: string }[]; cursor: string | null } = await memory[page](
          cursor,
          PAGE_DOCUMENTS_MAX,
        );
        found.push(...read.documents.map(({ id }) => id));
        lengths.push(read.documents.length);
        cursor = read.cursor;
      }
      expect(found).toEqual(ids);
      expect(lengths).toEqual([246, 54]);
      expect(JSON.stringify(metadata).length * 245).toBeLessThan(EXPORT_PAGE_CHARS_MAX);
    }
  }
});
