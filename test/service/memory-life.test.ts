/** A document's life in the built Worker, over HTTP: versions, streams, jobs, turns, snapshots. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readHeap } from "../../scripts/inspector.ts";
import { LOCAL_ADMIN_KEY, LOCAL_KEY } from "../../scripts/service.ts";
import {
  fill,
  START_MS_MAX,
  startTestService,
  type TestService,
} from "../support/running-service.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
}, START_MS_MAX);
afterAll(() => service?.stop());

const DIM = 384;

async function send(path: string, body: BodyInit, method = "POST") {
  const headers = {
    authorization: `Bearer ${LOCAL_ADMIN_KEY}`,
    "content-type": "application/x-ndjson",
  };
  const init = { method, headers, body, duplex: "half" } as RequestInit;
  const response = await fetch(service.url + path, init);
  // biome-ignore lint/suspicious/noExplicitAny: tests read replies of every shape
  return { status: response.status, body: (await response.json()) as any };
}

async function exported(namespace: string): Promise<string> {
  const headers = { authorization: `Bearer ${LOCAL_ADMIN_KEY}` };
  return (await fetch(`${service.url}/admin/namespaces/${namespace}/export`, { headers })).text();
}

async function found(namespace: string, query: string, rest: object = {}): Promise<string[]> {
  const request = { namespace, query, mode: "bm25", k: 10, ...rest };
  const { body } = await service.call("POST", "/v1/memory/search", request);
  return body.hits.map((hit: { document_id: string }) => hit.document_id);
}

const make = (namespace: string, options: object = {}) =>
  service.call("PUT", `/admin/namespaces/${namespace}`, options);

describe("documents", () => {
  const path = "/admin/namespaces/life/documents";
  const put = (document: object) => service.call("POST", path, { documents: [document] });

  it("have versions, which a write, a patch and a deletion may demand", async () => {
    await make("life");
    const heron = { id: "a", text: "The heron nests by the river.", metadata: { n: 1, kind: "x" } };
    expect((await put({ ...heron, if_version: 0 })).body.documents).toEqual([
      { index: 0, id: "a", version: 1, unchanged: false },
    ]);
    expect((await put({ ...heron, if_version: 0 })).body.error.code).toBe("version_conflict");
    expect((await put({ ...heron, if_version: 1 })).body).toMatchObject({ unchanged: 1 });
    const patch = (body: object) => service.call("PATCH", `${path}/a`, body);
    const stale = await patch({ metadata: { n: 2 }, if_version: 9 });
    expect([stale.status, stale.body.error.code]).toEqual([409, "version_conflict"]);
    expect((await patch({ metadata: { n: 2, kind: null }, if_version: 1 })).body).toEqual({
      id: "a",
      version: 2,
    });
    const { body } = await service.call("GET", `${path}/a`);
    expect(body).toMatchObject({ version: 2, metadata: { n: 2 }, content_type: "text/plain" });
    expect(body.metadata).not.toHaveProperty("kind");
    expect(await found("life", "heron", { filter: { n: 2 } })).toEqual(["a"]);
    expect(await found("life", "heron", { filter: { n: 1 } })).toEqual([]);
    const refused = await service.call("DELETE", `${path}/a?if_version=1`);
    expect([refused.status, refused.body.error.code]).toEqual([409, "version_conflict"]);
    expect((await service.call("DELETE", `${path}/a?if_version=2`)).status).toBe(200);
    expect((await patch({ title: "x" })).body.error.code).toBe("document_not_found");
  });

  it("that were patched are what comes: what was is new again, what is is not", async () => {
    const before = { id: "p", text: "The otter sleeps.", metadata: { n: 1 } };
    await put(before);
    await service.call("PATCH", `${path}/p`, { metadata: { n: 2 }, title: "Otters" });
    const after = { ...before, title: "Otters", metadata: { n: 2 } };
    expect((await put(after)).body).toMatchObject({ unchanged: 1 });
    expect((await put(before)).body).toMatchObject({ upserted: 1, unchanged: 0 });
  });

  it("that get a new title are found by it as if they had come with it", async () => {
    const text = "It sleeps in the reeds all day.";
    await put({ id: "t1", text, title: "Otters" });
    await service.call("PATCH", `${path}/t1`, { title: "Bitterns", metadata: { m: 1 } });
    await put({ id: "t2", text, title: "Bitterns", metadata: { m: 1 } });
    const request = { namespace: "life", query: "bittern", mode: "vector", filter: { m: 1 }, k: 2 };
    const { body } = await service.call("POST", "/v1/memory/search", request);
    const [first, second] = body.hits;
    expect([first.document_id, second.document_id].sort()).toEqual(["t1", "t2"]);
    expect(first.score).toBe(second.score);
  });

  it("keep the bound of metadata over patches", async () => {
    await put({ id: "m", text: "The eel." });
    const patch = (name: string) =>
      service.call("PATCH", `${path}/m`, { metadata: { [name]: "x".repeat(9_000) } });
    expect((await patch("a")).status).toBe(200);
    expect((await patch("b")).body.error.code).toBe("invalid_request");
    const { body } = await service.call("GET", `${path}/m`);
    expect(Object.keys(body.metadata)).toEqual(["a"]);
  });

  it("bring their headings and their time, and HTML is read as Markdown", async () => {
    const text = "<title>Birds</title><h1>Herons</h1><p>The bittern booms.</p>";
    await put({ id: "h", text, content_type: "text/html", time: "2026-11-24T09:00:00Z" });
    const { body } = await service.call("GET", `${path}/h`);
    expect(body).toMatchObject({ content_type: "text/markdown", title: "Birds" });
    expect(body.time).toBe(Date.UTC(2026, 10, 24, 9));
    expect(body.text).toContain("# Herons");
  });
});

describe("namespaces", () => {
  it("change their options at any time, but for those that are fixed by documents", async () => {
    await make("options", { bm25_unit: "document" });
    expect((await make("options", { bm25_unit: "passage" })).status).toBe(200);
    await fill(service, "options", [{ id: "a", text: "The heron nests by the river." }]);
    const changed = await make("options", { k1: 0.9, fusion: "rrf", bm25_variant: "bm25plus" });
    expect(changed.body).toMatchObject({ k1: 0.9, fusion: "rrf", bm25_unit: "passage" });
    for (const fixed of [{ bm25_unit: "document" }, { shards: 2 }])
      expect((await make("options", fixed)).body.error.code).toBe("conflict");
    const { body } = await service.call("GET", "/admin/namespaces/options");
    expect(body).toMatchObject({ k1: 0.9, b: 0.75, shards: 1 });
    expect(await found("options", "heron")).toEqual(["a"]);
  });

  it("start with as many shards as they are asked to, and a split makes one more", async () => {
    await make("sharded", { shards: 2 });
    const documents = Array.from({ length: 40 }, (_, i) => {
      return { id: `d${i}`, text: `The heron number ${i} nests by the river.` };
    });
    await fill(service, "sharded", documents);
    const stats = async () => (await service.call("GET", "/admin/namespaces/sharded/stats")).body;
    const before = await stats();
    expect(before.shards).toHaveLength(2);
    expect(before.shards[0].documents + before.shards[1].documents).toBe(40);
    const begun = await service.call("POST", "/admin/namespaces/sharded/split", {});
    expect(begun.status).toBe(202);
    await until(async () => (await stats()).work === null);
    expect((await stats()).shards).toHaveLength(3);
    expect(await found("sharded", "number 17")).toContain("d17");
  });
});

describe("streams", () => {
  it("an export comes back as it was, vectors included, into any namespace", async () => {
    await make("source");
    await make("copy");
    const embedding = Array.from({ length: DIM }, (_, i) => Math.sin(i * 7 + 1));
    const documents = [
      { id: "a", text: "# Birds\n\nThe heron.", content_type: "text/markdown", title: "T" },
      { id: "b", text: "The otter.\n", embedding, metadata: { z: 1, a: { d: 1, c: null } } },
      { id: "c", text: "The eel.", time: 1_700_000_000_000, expires_at: 4_000_000_000_000 },
    ];
    const path = "/admin/namespaces/source/documents";
    await service.call("POST", path, { documents });
    const lines = await exported("source");
    expect((await send(path, lines)).body).toMatchObject({ unchanged: 3, upserted: 0 });
    const copied = "/admin/namespaces/copy/documents";
    expect((await send(copied, lines)).body).toMatchObject({ upserted: 3, error_count: 0 });
    expect((await send(copied, lines)).body).toMatchObject({ unchanged: 3, upserted: 0 });
    expect(await exported("copy")).toBe(lines);
    expect((await send(path, await exported("copy"))).body).toMatchObject({ unchanged: 3 });
  });

  it("of 100 MB of lines not half is ever kept at once, and each refusal is counted", async () => {
    await make("stream");
    const path = "/admin/namespaces/stream/documents";
    const vector = Buffer.from(Float32Array.from({ length: DIM }, () => 0.5).buffer);
    const embedding = vector.toString("base64");
    const word = "herons ".repeat(2_500);
    const line = (i: number) =>
      new TextEncoder().encode(
        `${JSON.stringify({ id: `d${i}`, text: `${i} ${word}`, embedding, if_version: 9 })}\n`,
      );
    const lines = Math.ceil(100e6 / line(0).length);
    const first = { id: "kept", text: "The heron.", embedding };
    let sent = 0;
    let bytes = 0;
    const held = async () => {
      const { heapBytes, buffersBytes } = await readHeap(service.inspectorUrl);
      return heapBytes + buffersBytes;
    };
    const idleBytes = await held();
    let leastBytes = Number.POSITIVE_INFINITY; // garbage counts until it is collected
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (sent > lines * 0.75 && sent % 50 === 0) leastBytes = Math.min(leastBytes, await held());
        const next =
          sent === 0 ? new TextEncoder().encode(`${JSON.stringify(first)}\n`) : line(sent);
        bytes += next.length;
        controller.enqueue(next);
        sent += 1;
        if (sent > lines) controller.close();
      },
    });
    const { status, body: reply } = await send(path, body);
    expect(status).toBe(200);
    expect(bytes).toBeGreaterThan(100e6);
    expect(reply).toMatchObject({ upserted: 1, error_count: lines });
    expect(reply.errors).toHaveLength(1_000);
    expect(reply.errors[0]).toMatchObject({ index: 1, code: "version_conflict" });
    const keptBytes = leastBytes - idleBytes;
    console.log(
      `of ${(bytes / 1e6).toFixed(0)} MB at most ${(keptBytes / 1e6).toFixed(1)} are kept`,
    );
    expect(keptBytes).toBeLessThan(40e6); // 75 MB had passed by then
  }, 180_000);
});

describe("jobs", () => {
  it(
    "go on where they broke off, over a restart too",
    async () => {
      await make("bulk");
      const { body: job } = await service.call("POST", "/admin/namespaces/bulk/jobs", {
        name: "f",
      });
      const path = `/admin/namespaces/bulk/jobs/${job.id}`;
      const line = (i: number) => JSON.stringify({ id: `d${i}`, text: `The heron number ${i}.` });
      const lines = Array.from({ length: 60 }, (_, i) => (i === 7 ? "nonsense" : line(i)));
      const part = (from: number, to: number) =>
        send(`${path}/lines?from=${from}`, `${lines.slice(from, to).join("\n")}\n`);
      expect((await part(0, 30)).body).toMatchObject({ lines: 30, upserted: 29, error_count: 1 });
      expect((await part(31, 60)).body.error.code).toBe("conflict");
      await service.restart();
      const { body: known } = await service.call("GET", path);
      expect(known.bytes).toBe(lines.slice(0, 30).join("\n").length + 1);
      const done = (await part(known.lines - 10, 60)).body;
      expect(done).toMatchObject({ lines: 60, upserted: 59, unchanged: 0, error_count: 1 });
      expect(done.errors).toMatchObject([{ line: 7, code: "invalid_json" }]);
      expect((await service.call("POST", `${path}/finish`)).body.state).toBe("finished");
      expect((await part(60, 60)).body.error.code).toBe("conflict");
      expect((await service.call("GET", "/admin/namespaces/bulk/stats")).body.documents).toBe(59);
      expect((await service.call("DELETE", path)).status).toBe(200);
      expect((await service.call("GET", path)).body.error.code).toBe("job_not_found");
    },
    START_MS_MAX,
  );
});

describe("conversations", () => {
  it("are remembered turn by turn, found by filter and forgotten by filter", async () => {
    await make("talks");
    const turns = [
      { speaker: "Ana", text: "The heron is back.", time: "2026-11-24T09:00:00Z", id: "1" },
      { speaker: "Ben", text: "Which heron do you mean?", time: "2026-11-24T09:01:00Z" },
    ];
    const say = (conversation: string, key?: string) =>
      service.call(
        "POST",
        "/v1/memory/remember",
        { namespace: "talks", conversation, turns },
        key ?? LOCAL_KEY,
      );
    const { body } = await say("call-7");
    expect(body.turns[0]).toEqual({ document_id: "call-7/1", version: 1, unchanged: false });
    const again = (await say("call-7")).body;
    expect(again.turns.map((turn: { unchanged: boolean }) => turn.unchanged)).toEqual([true, true]);
    await say("call-8");
    const filter = { conversation: "call-7" };
    expect((await found("talks", "heron", { filter })).sort()).toEqual(
      body.turns.map((turn: { document_id: string }) => turn.document_id).sort(),
    );
    const read = await service.call("POST", "/admin/keys", { role: "inference" });
    expect((await say("call-9", read.body.key)).body.error.code).toBe("forbidden");
    const write = await service.call("POST", "/admin/keys", { permissions: ["memory:write"] });
    expect((await say("call-9", write.body.key)).status).toBe(200);
    const path = "/admin/namespaces/talks/documents/delete";
    expect((await service.call("POST", path, { filter })).body).toEqual({ deleted: 2 });
    expect(await found("talks", "heron", { filter })).toEqual([]);
  });
});

describe("snapshots", () => {
  const NS = "/admin/namespaces/shots";

  it("bring documents and options back as they were, and what came after is gone", async () => {
    await make("shots", { k1: 1.2 });
    await fill(service, "shots", [{ id: "a", text: "The heron nests by the river." }]);
    const before = await exported("shots");
    const { status, body } = await service.call("POST", `${NS}/snapshots`);
    expect(status).toBe(202);
    const read = async () => (await service.call("GET", `${NS}/snapshots/${body.id}`)).body;
    await until(async () => (await read()).state === "complete");
    expect(await read()).toMatchObject({ documents: 1, passages: 1, error: null });
    await fill(service, "shots", [{ id: "b", text: "The heron left." }]);
    await make("shots", { k1: 2 });
    const begun = await service.call("POST", `${NS}/snapshots/${body.id}/restore`);
    expect(begun.status).toBe(202);
    await until(async () => (await service.call("GET", `${NS}/stats`)).body.work === null);
    const { body: list } = await service.call("GET", `${NS}/snapshots`);
    expect(list.last_restore).toMatchObject({ state: "done", id: body.id });
    expect(await exported("shots")).toBe(before);
    expect((await service.call("GET", NS)).body.k1).toBe(1.2);
    const { body: all } = await service.call("GET", "/admin/namespaces");
    const listed = all.namespaces.find(({ name }: { name: string }) => name === "shots");
    expect(listed.k1).toBe(1.2);
    expect((await service.call("DELETE", `${NS}/snapshots/${body.id}`)).status).toBe(200);
    expect((await read()).error.code).toBe("snapshot_not_found");
    expect((await service.call("DELETE", `${NS}/work`)).body).toEqual({ cancelled: false });
  });
});

/** Asks until it holds; a work that never ends fails by the test's own time limit. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((next) => setImmediate(next));
}
