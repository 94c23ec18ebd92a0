/** Export, search, snapshot and namespaces against a service over HTTP. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Command, Values } from "../../cli/command.ts";
import { exportCommand } from "../../cli/export.ts";
import { CLI_ATTEMPTS_MAX } from "../../cli/limits.ts";
import {
  namespacesCreate,
  namespacesDelete,
  namespacesList,
  namespacesStats,
} from "../../cli/namespaces.ts";
import {
  namespacesCancel,
  namespacesCompact,
  namespacesJobs,
  namespacesSplit,
} from "../../cli/namespaces-work.ts";
import { search } from "../../cli/search.ts";
import { poll, snapshot } from "../../cli/snapshot.ts";
import { bar, paragraph, table } from "../../cli/table.ts";
import { SearchReply } from "../../src/api/schema/search-reply.ts";
import { brink } from "../support/brink-cli.ts";
import { FakeBrink } from "./fake-brink.ts";
import { runCommand } from "./said.ts";

let folder: string;
let service: FakeBrink;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "brink-memory-"));
  service = await new FakeBrink().start();
});
afterEach(() => {
  service.stop();
  rmSync(folder, { recursive: true, force: true });
});

const run = (command: Command, args: string[], values: Values = {}) =>
  runCommand(command, args, { url: service.url, ...values });
/** What the service replies to the next calls of this one. */
const reply = (call: string, ...bodies: unknown[]) =>
  service.canned.set(
    call,
    bodies.map((body) => ({ status: 200, body })),
  );

const DOCUMENTS = [
  { id: "a", text: "one\ntwo", metadata: { n: 1 } },
  { id: "é", text: "x".repeat(100_000), title: "Long" },
];
function fill(): void {
  service.namespaces.set("docs", new Map(DOCUMENTS.map((document) => [document.id, document])));
}
const NDJSON = DOCUMENTS.map((document) => `${JSON.stringify(document)}\n`).join("");

it("an export is the documents, and what ingest takes back", async () => {
  fill();
  expect(await brink(service.url, "export", "docs")).toBe(NDJSON);
  const output = join(folder, "docs.ndjson");
  const { result } = await run(exportCommand, ["docs"], { output, json: true });
  expect(result).toEqual({
    namespace: "docs",
    documents: 2,
    bytes: Buffer.byteLength(NDJSON),
    output,
  });
  expect(readFileSync(output, "utf8")).toBe(NDJSON);
  await brink(service.url, "ingest", output, "--namespace", "copy", "--create");
  expect(service.namespaces.get("copy")).toEqual(service.namespaces.get("docs"));
});

it("an export that fails or breaks off leaves no file and is an error", async () => {
  const output = join(folder, "docs.ndjson");
  await expect(run(exportCommand, ["none"], { output })).rejects.toThrow(/no namespace "none"/);
  fill();
  service.canned.set("GET /admin/namespaces/docs/export", [
    { status: 200, body: NDJSON, headers: { "content-length": `${2 * NDJSON.length}` } },
  ]);
  await expect(run(exportCommand, ["docs"], { output })).rejects.toThrow(
    /the export broke off after/,
  );
  expect([existsSync(output), existsSync(`${output}.part`)]).toEqual([false, false]);
});

const HIT = {
  document_id: "lease.md",
  passage_id: "p1",
  score: 0.8,
  text: "The lease ends on 3 May. ".repeat(30),
  title: "The lease",
  heading_path: ["The lease", "End"],
  metadata: {},
  duplicates: [{ document_id: "copy.md", passage_id: "p9" }],
  explain: {
    bm25: 4,
    cosine: 0.5,
    bm25_rank: 1,
    vector_rank: 2,
    fusion: "0.75 * ...",
    bm25_terms: [
      { term: "leas", df: 3, idf: 1, tf: 2, contribution: 3 },
      { term: "end", df: 9, idf: 1, tf: 1, contribution: 1 },
    ],
  },
};

it("a search shows its hits, and why with --explain", async () => {
  const body = {
    hits: [HIT, { ...HIT, score: 0.4, title: null, explain: undefined }],
    took_ms: 3.21,
    stages_ms: { embed: 1.23, bm25: 0.5 },
  };
  expect(SearchReply.pick({ stages_ms: true }).parse(body)).toHaveProperty("stages_ms.embed");
  reply("POST /v1/memory/search", body, body);
  const values = { explain: true, k: "2", filter: '{"lang": "en"}', mode: "bm25" };
  const { out } = await run(search, ["docs", "lease", "end"], values);
  expect(JSON.parse(service.bodies[0]!)).toEqual({
    namespace: "docs",
    query: "lease end",
    k: 2,
    mode: "bm25",
    filter: { lang: "en" },
    explain: true,
  });
  const lines = out.split("\n").map((line) => line.trimEnd());
  expect(lines[0]).toBe(" 1  0.8000 ████████████████████ lease.md");
  expect(lines[1]).toBe("    The lease > End");
  expect(lines[5]).toMatch(/ …$/);
  expect(lines[6]).toBe("    also in copy.md");
  expect(lines.slice(7, 12)).toEqual([
    "    cosine  0.5000  ██████████            rank 2",
    "    bm25    4.0000                        rank 1",
    "      leas  3.0000  ███████████████       tf 2, df 3",
    "      end   1.0000  █████                 tf 1, df 9",
    "    0.75 * ...",
  ]);
  expect(lines[13]).toMatch(/^ 2 {2}0.4000 ██████████ +lease.md$/);
  expect(lines.at(-1)).toBe("2 hits in 3.2 ms (embed 1.2, bm25 0.5)");
  expect((await run(search, ["docs", "x"], { json: true })).result).toEqual(
    JSON.parse(JSON.stringify(body)),
  );
});

it("a search that finds nothing says so, and wrong options are told", async () => {
  reply("POST /v1/memory/search", { hits: [], took_ms: 12 });
  expect((await run(search, ["docs", "x"])).out).toBe("nothing found in 12 ms");
  await expect(run(search, ["docs"])).rejects.toThrow(/what to look for/);
  await expect(run(search, ["docs", "x"], { k: "0" })).rejects.toThrow(
    /--k is a number from 1 to 100/,
  );
  await expect(run(search, ["docs", "x"], { filter: "[]" })).rejects.toThrow(
    /--filter is a JSON obj/,
  );
});

const SNAPSHOTS = "/admin/namespaces/docs/snapshots";
const MADE = {
  ...{ id: "s1", state: "complete", started_at: 0, completed_at: 90_000_000, documents: 5 },
  ...{ passages: 6, parts: 1, bytes: 7_000, error: null },
};

it("a snapshot is made, and waited for", async () => {
  reply(`POST ${SNAPSHOTS}`, { id: "s1" }, { id: "s2" }, { id: "s3" });
  reply(`GET ${SNAPSHOTS}/s1`, MADE);
  expect((await run(snapshot, ["docs", "create"])).out).toBe("snapshot s1: 5 documents, 7.0 KB");
  const failed = { ...MADE, state: "failed", error: { code: "internal", message: "R2 is full" } };
  reply(`GET ${SNAPSHOTS}/s2`, failed);
  await expect(run(snapshot, ["docs", "create"])).rejects.toThrow(/snapshot s2 failed: R2 is full/);
  const { out } = await run(snapshot, ["docs", "create"], { "no-wait": true });
  expect(out).toBe("snapshot s3 has begun");
});

it("snapshots are listed and removed", async () => {
  const work = { kind: "snapshot", phase: "copy", documents: 3, error: null };
  const failed = { ...MADE, id: "s2", state: "failed", bytes: null };
  const other = { ...failed, completed_at: null, error: { code: "x", message: "R2 is full" } };
  reply(`GET ${SNAPSHOTS}`, { snapshots: [MADE, other], work, last_restore: null });
  expect((await run(snapshot, ["docs", "list"])).out.split("\n")).toEqual([
    "s1  complete            1970-01-02 01:00  5  7.0 KB",
    "s2  failed: R2 is full  1970-01-01 00:00  5",
    "a snapshot runs (copy): 3 documents",
  ]);
  reply(`DELETE ${SNAPSHOTS}/s%2F1`, { id: "s/1", deleted: true });
  expect((await run(snapshot, ["docs", "remove", "s/1"])).out).toBe("removed s/1");
});

it("a restore needs --yes, and is waited for until one that began after it has ended", async () => {
  reply(`GET ${SNAPSHOTS}/s1`, MADE);
  await expect(run(snapshot, ["docs", "restore", "s1"])).rejects.toThrow(
    /puts the 5 documents of 1970-01-02 01:00 in the place of all there are: add --yes/,
  );
  const before = { state: "failed", id: "s0", started_at: 1, documents: 0, error: null };
  const list = (last: object) => ({ snapshots: [MADE], work: null, last_restore: last });
  const done = { ...before, state: "done", id: "s1", started_at: 2, documents: 5 };
  reply(`POST ${SNAPSHOTS}/s1/restore`, {}, {});
  reply(
    `GET ${SNAPSHOTS}`,
    list(before),
    list(done),
    list(done),
    list({ ...before, started_at: 3 }),
  );
  const { out } = await run(snapshot, ["docs", "restore", "s1"], { yes: true });
  expect(out).toBe("restored 5 documents of s1");
  await expect(run(snapshot, ["docs", "restore", "s1"], { yes: true })).rejects.toThrow(
    /the restore failed/,
  );
});

it("what passes by itself ends no waiting, and what does not ends the waiting alone", async () => {
  const pause = { "retry-after": "0" };
  const busy = { status: 503, body: { error: { message: "busy", code: "memory_busy" } } };
  const away = Array.from({ length: CLI_ATTEMPTS_MAX }, () => ({ ...busy, headers: pause }));
  const lost = { status: 0, body: null };
  const list = (last: object | null) => ({ snapshots: [MADE], work: null, last_restore: last });
  const done = { state: "done", id: "s1", started_at: 2, documents: 5, error: null };
  const rests = (...replies: object[]) =>
    replies.map((one) => ("status" in one ? one : { status: 200, body: one })) as typeof away;
  service.canned.set(`GET ${SNAPSHOTS}/s1`, rests(lost, away[0]!, MADE, ...away));
  service.canned.set(`GET ${SNAPSHOTS}`, rests(list(null), away[0]!, list(done), list(done)));
  reply(`POST ${SNAPSHOTS}`, { id: "s1" }, { id: "s1" });
  reply(`POST ${SNAPSHOTS}/s1/restore`, {});
  expect((await run(snapshot, ["docs", "create"])).out).toContain("snapshot s1: 5 documents");
  const restored = await run(snapshot, ["docs", "restore", "s1"], { yes: true });
  expect(restored.out).toBe("restored 5 documents of s1");
  await expect(run(snapshot, ["docs", "create"])).rejects.toMatchObject({
    message: "busy (memory_busy)",
    remedy: "what was begun goes on all the same: npx brink snapshot NS list shows it",
  });
  const { out } = await run(snapshot, ["docs", "list"]);
  expect(out).toContain("\nthe last restore of s1, begun 1970-01-01 00:00: 5 documents");
});

it("what a snapshot command lacks is told", async () => {
  const wrong: [string[], RegExp][] = [
    [["docs"], /name a namespace and what to do/],
    [["docs", "make"], /create, list, restore or remove: not make/],
    [["docs", "restore"], /name the snapshot to restore/],
    [["docs", "list", "s1"], /unexpected s1/],
  ];
  for (const [args, message] of wrong) await expect(run(snapshot, args)).rejects.toThrow(message);
});

it("polling asks until there is an answer", async () => {
  let [asked, ended] = [0, 0];
  const progress = { end: () => ended++ };
  expect(await poll(progress, async () => (++asked === 5 ? "done" : null), 0)).toBe("done");
  await expect(poll(progress, () => Promise.reject(new Error("gone")), 0)).rejects.toThrow("gone");
  expect([asked, ended]).toEqual([5, 2]);
});

it("namespaces are made, listed, counted and, with --yes, deleted", async () => {
  const options = '{"k1": 1.2}';
  reply("PUT /admin/namespaces/docs", { name: "docs", created_at: 0, k1: 1.2, forget: null });
  expect((await run(namespacesCreate, ["docs"], { options })).out).toBe(
    "k1      1.2\nforget  null",
  );
  expect(service.bodies).toEqual(['{"k1":1.2}']);
  await expect(run(namespacesCreate, ["docs"], { options: "k1=2" })).rejects.toThrow(
    /--options is/,
  );
  reply(
    "GET /admin/namespaces",
    { namespaces: [{ name: "docs", created_at: 0 }] },
    { namespaces: [] },
  );
  expect((await run(namespacesList, [])).out).toBe("docs  1970-01-01 00:00");
  expect((await run(namespacesList, [])).out).toContain("namespaces create NS");
  const shard = {
    ...{ object: null, documents: 3, passages: 4, sqlite_bytes: 5_000, resident_bytes: 600 },
    ...{ segments: 1, tombstones: 0 },
  };
  const stats = {
    ...{
      documents: 7,
      passages: 8,
      archived_passages: 5,
      terms: 90,
      avgdl: 10.25,
      sqlite_bytes: 1e7,
      resident_bytes: 2e6,
    },
    ...{ shards: [shard, { ...shard, object: "g1-0" }] },
    work: { kind: "split", phase: "copy", documents: 2, error: "no reply" },
  };
  reply("GET /admin/namespaces/docs/stats", stats, stats);
  const { out } = await run(namespacesStats, ["docs"]);
  expect(out).toMatch(/^archived passages +5$/m);
  expect(out).toContain("10.0 MB stored, 2.0 MB in memory");
  expect(out).toMatch(/^g1-0 +3 +4 +5.0 KB +0.6 KB +1 +0$/m);
  expect(out).toContain("a split runs (copy): 2 documents; it is tried again after: no reply");
  await expect(run(namespacesDelete, ["docs"])).rejects.toThrow(
    /deletes docs with its 7 documents: add --yes/,
  );
  reply("DELETE /admin/namespaces/docs", { id: "docs", deleted: true });
  expect((await run(namespacesDelete, ["docs"], { yes: true })).out).toBe("deleted docs");
});

it("a namespace's jobs are listed, and its work begun and called off", async () => {
  const path = "/admin/namespaces/docs";
  const times = { created_at: 0, updated_at: 90_000_000 };
  const counts = { lines: 9, bytes: 90, upserted: 5, unchanged: 3, passages: 8, error_count: 1 };
  const job = { id: "j1", name: "a.ndjson", state: "open", ...counts, ...times };
  reply(`GET ${path}/jobs`, { jobs: [job] }, { jobs: [] });
  const { out } = await run(namespacesJobs, ["docs"]);
  expect(out).toMatch(/^j1 +a.ndjson +open +9 +5 +3 +1 +1970-01-02 01:00$/m);
  expect((await run(namespacesJobs, ["docs"])).out).toBe("no jobs");
  const work = { kind: "split", phase: "copy", documents: 2, error: null };
  const stats = {
    ...{ documents: 7, passages: 8, archived_passages: 0, terms: 90, avgdl: 1 },
    ...{ sqlite_bytes: 1, resident_bytes: 1, shards: [], work },
  };
  reply(`POST ${path}/split`, stats, stats);
  expect((await run(namespacesSplit, ["docs"])).out).toContain("a split runs (copy): 2 documents");
  await run(namespacesSplit, ["docs"], { shard: "g1-0" });
  reply(`POST ${path}/compact`, { ...stats, work: null });
  expect((await run(namespacesCompact, ["docs"])).out).toMatch(/^passages +8$/m);
  reply(`POST ${path}/compact?rebuild=true`, { ...stats, work: null });
  await run(namespacesCompact, ["docs"], { rebuild: true });
  expect(service.bodies.slice(2)).toEqual(["{}", '{"shard":"g1-0"}', "", ""]);
  reply(`DELETE ${path}/work`, { cancelled: true }, { cancelled: false });
  expect((await run(namespacesCancel, ["docs"])).out).toBe("called off");
  expect((await run(namespacesCancel, ["docs"])).out).toBe("nothing runs");
});

it("tables, bars and paragraphs keep their widths", () => {
  expect(
    table([
      ["a", 1],
      ["bcd", 20],
    ]),
  ).toBe("a     1\nbcd  20");
  expect([bar(0), bar(0.5), bar(1), bar(7)].map((text) => text.length)).toEqual([20, 20, 20, 20]);
  expect(bar(1 / 160)).toBe(`▏${" ".repeat(19)}`);
  const text = paragraph("one two three four five six", 12, "  ", 2);
  expect(text).toBe("  one two\n  three four …");
  expect(paragraph("one two", 12, "  ", 2)).toBe("  one two");
});
