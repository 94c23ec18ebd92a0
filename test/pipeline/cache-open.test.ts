/** When a kept answer is given, and when an answer is kept: each reason not to, by itself. */
import { expect, it } from "vitest";
import type { CachedAnswer } from "../../src/ledger/cache-object.ts";
import { type CacheDeps, openCache } from "../../src/pipeline/cache.ts";
import { sealAnswer } from "../../src/pipeline/cache-replay.ts";
import { Trace } from "../../src/pipeline/trace.ts";
import type { AnswerRequest, AnswerStream } from "../../src/pipeline/types.ts";
import type { Outcome } from "../../src/router/outcome.ts";

const NOTES = { notes: "off", ttl_days: 1, made: false };
const REPORT = { route: "backend", engine: "backend:big", reason: "asked", citations: [] };
const OUTCOME = { trace_id: "first", at: 1, engine: "backend:big", passages: [] };
const BODY = sealAnswer({
  ...{ model: "big", route: "backend", difficulty: null, usage: null },
  pieces: [{ text: "Yes.", finish_reason: "stop" }],
  report: REPORT as never,
  outcome: OUTCOME as never,
});

interface Given {
  kept?: object;
  policy?: object;
  shadowRate?: number;
  /** What the memory's version is, call by call; the last for all that follow. */
  versions?: number[];
  documents?: unknown[];
}

function setUp({ kept, policy, shadowRate = 0, versions = [2], documents = [] }: Given) {
  const answers: CachedAnswer[] = [];
  const work: Promise<unknown>[] = [];
  const left = [...versions];
  const found = { id: "ab", version: "off 2", sampled: false, body: BODY, ...kept };
  const near = { ...found, question: "Why?", edge_answer: null, answer: "Yes.", cosine: 1 };
  const object = {
    find: async (id: string) => (kept === undefined && id !== "ab" ? null : found),
    near: async () => [{ ...near, version: "off 2" }],
    put: async (answer: CachedAnswer) => void answers.push(answer),
  };
  const memory = {
    contentVersion: async () => (left.length > 1 ? left.shift()! : left[0]!),
    find: async () => documents,
  };
  const rules = { exact: "all", semantic: false, cosine_min: 0.9, ttl_s: 60, ...policy };
  const deps = {
    ...{ policies: { read: async () => rules }, notes: { read: async () => NOTES } },
    ...{ object: () => object, memory: () => memory, engines: [], draw: 0.5 },
    router: async () => ({ revision: 1, shadow_rate: shadowRate, threshold: 0.5, model: {} }),
    ...{ embed: async () => Float32Array.of(1, 0), trace: new Trace() },
    ...{ costOf: () => 0, record: () => {}, keepAlive: (one: Promise<unknown>) => work.push(one) },
  } as unknown as CacheDeps;
  return { deps, answers, work };
}

const request = (rest: object = {}) =>
  ({
    caller: { tenant: "t", scopes: ["inference"], namespaces: null, default_namespace: null },
    ...{ model: "auto", parameters: {}, messages: [{ role: "user", content: "Why?" }] },
    ...{ memory: { namespace: "docs", filter: null, k: 5 }, ...rest },
  }) as unknown as AnswerRequest;

const REPEATABLE = { policy: { exact: "repeatable" } };
const PARTIAL = { memory: { namespace: "docs", filter: null, k: 5, partial: true } };

it.each<[string, Given, object, string | null]>([
  ["of the same version", {}, {}, "hit"],
  ["of another version", { kept: { version: "off 1" } }, {}, null],
  ["while something changes", { kept: { version: "off 3" }, versions: [3] }, {}, null],
  ["sampled, where all are taken", { kept: { sampled: true } }, {}, "hit"],
  ["sampled, where the repeatable are", { ...REPEATABLE, kept: { sampled: true } }, {}, null],
  ["repeatable, where those are", REPEATABLE, {}, "hit"],
  ["to a question of the sample that is compared", { shadowRate: 0.6 }, {}, null],
  ["to one that is not", { shadowRate: 0.5 }, {}, "hit"],
  ["for a part of the memory", {}, PARTIAL, null],
  ["where the request says off", {}, { cache: "off" }, null],
])("an answer %s is given, or not", async (_, given, rest, status) => {
  const { deps } = setUp({ kept: {}, ...given });
  expect((await openCache(deps, request(rest))).hit?.cache ?? null).toBe(status);
});

it.each([
  ["of the same version", "off 2", "semantic"],
  ["that another of another version took the place of", "off 1", null],
])("a like question's answer %s is given, or not", async (_, version, status) => {
  const { deps } = setUp({ policy: { semantic: true } });
  const object = deps.object("t", 0);
  const find = async (id: string) =>
    id === "ab" ? { ...(await object.find("ab"))!, version } : null;
  const opened = await openCache(
    { ...deps, object: () => ({ ...object, find }) as never },
    request(),
  );
  expect(opened.hit).toBeNull();
  expect((await opened.like("Why?", null))?.cache ?? null).toBe(status);
});

const PASSAGES = [{ document_id: "d", passage_id: "p" }];

it.each<[string, Given, object, number]>([
  ["whole", {}, {}, 1],
  ["found in a version that is over", { versions: [2, 4] }, {}, 0],
  ["in the place of another engine", {}, { wanted: "backend" }, 0],
  ["of a note", {}, { engine: "brink-note" }, 0],
  ["after another backend failed", {}, { attempts: [{ backend: "a", outcome: "failed" }] }, 0],
  ["from documents that stay", { documents: [{ expires_at: null }] }, { passages: PASSAGES }, 1],
  ["from one that has gone", { documents: [null] }, { passages: PASSAGES }, 0],
  ["from one that expired", { documents: [{ expires_at: 1 }] }, { passages: PASSAGES }, 0],
])("an answer %s is kept, or not", async (_, given, told, times) => {
  const { passages = [], ...said } = told as { passages?: object[] };
  const { deps, answers, work } = setUp(given);
  const opened = await openCache(deps, request());
  opened.named({ question: "Why?", text: "Yes.", passages } as unknown as Outcome);
  const report = () => ({ ...REPORT, ...said });
  const stream = { model: "big", route: "backend", difficulty: null, report };
  for (const tap of opened.keeping(stream as unknown as AnswerStream, null).taps) {
    tap.piece({ text: "Yes.", finish_reason: "stop" });
    tap.ended(true);
  }
  await Promise.all(work);
  expect(answers.length).toBe(times);
});
