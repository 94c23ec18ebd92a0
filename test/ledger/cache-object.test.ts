import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { quantizeVector } from "../../index/vectors.ts";
import type { CachedAnswer, CachedQuestion } from "../../src/ledger/cache-object.ts";
import { CACHE_QUESTIONS_BYTES_MAX, CACHE_QUESTIONS_MAX } from "../../src/limits.ts";

const NOW = Date.UTC(2026, 10, 29);

function answer(id: string, rest: Partial<CachedAnswer> = {}): CachedAnswer {
  const body = new Uint8Array(10).fill(id.charCodeAt(0));
  const when = { at: NOW, expires_at: NOW + 1_000 };
  return { id, namespace: "docs", version: "1", sampled: false, ...when, body, ...rest };
}

function question(id: string, angle: number, rest: Partial<CachedQuestion> = {}): CachedQuestion {
  const { qs: vector } = quantizeVector(direction(angle));
  const common = { namespace: "docs", scope: "s", version: "1", sampled: false };
  const said = { question: `${id}?`, edge_answer: null, answer: `${id}!` };
  return { id, ...common, ...said, vector, at: NOW, expires_at: NOW + 1_000, ...rest };
}

/** Unit-length, f32 [2]. */
function direction(angle: number): Float32Array {
  return Float32Array.of(Math.cos(angle), Math.sin(angle));
}

it("an answer is found by its id until its time is over, and outlives an eviction", async () => {
  const cache = env.CACHES.getByName("life");
  await cache.put(answer("a"));
  await evictDurableObject(cache);
  expect(await cache.find("a")).toEqual(answer("a"));
  expect(await cache.find("b")).toBeNull();
  await cache.put(answer("a", { version: "2" }));
  expect(await cache.find("a")).toMatchObject({ version: "2" });
  await cache.passMs(1_000);
  expect(await cache.find("a")).toBeNull();
  expect(await cache.figures(null)).toEqual({ answers: 0, questions: 0, bytes: 0 });
});

it("what is past its time is deleted by the alarm, and what is not stays", async () => {
  const cache = env.CACHES.getByName("alarm");
  const stored = () =>
    runInDurableObject(cache, (_, { storage: { sql } }) => {
      const ids = sql.exec("SELECT id FROM answers UNION ALL SELECT id FROM questions ORDER BY id");
      return ids.toArray().map(({ id }) => id);
    });
  // As the runtime's clock goes nothing is due, or it would ring by itself.
  const end = Date.now() + 24 * 60 * 60_000;
  const alarm = () => runInDurableObject(cache, (_, { storage }) => storage.getAlarm());
  await cache.put(answer("c", { expires_at: end + 9_000 }));
  await cache.put(answer("b", { expires_at: end + 5_000 }));
  await cache.putQuestion(question("q", 0, { expires_at: end + 1_000 }));
  await cache.put(answer("a", { expires_at: end + 1_000 }));
  expect(await alarm()).toBe(end + 1_000);
  await cache.passMs(end + 1_000 - NOW);
  expect(await runDurableObjectAlarm(cache)).toBe(true);
  expect([await stored(), await alarm()]).toEqual([["b", "c"], end + 5_000]);
  await cache.passMs(8_000);
  expect(await runDurableObjectAlarm(cache)).toBe(true);
  expect([await stored(), await alarm()]).toEqual([[], null]);
});

it("the oldest go beyond the bounds of number and of bytes", async () => {
  const cache = env.CACHES.getByName("bounds");
  for (const [i, id] of ["a", "b", "c", "d", "e"].entries())
    await cache.put(answer(id, { at: NOW + i }));
  expect(await cache.find("a")).toBeNull();
  expect(await cache.find("b")).not.toBeNull();
  await cache.put(answer("big", { at: NOW + 9, body: new Uint8Array(985) }));
  expect(await cache.find("big")).not.toBeNull();
  expect(await cache.find("d")).toBeNull();
  expect(await cache.find("e")).not.toBeNull();
});

it("the nearest questions of a scope and version are found, best first", async () => {
  const cache = env.CACHES.getByName("near");
  await cache.putQuestion(question("far", 1.5));
  await cache.putQuestion(question("near", 0.2));
  await cache.putQuestion(question("same", 0, { edge_answer: "it" }));
  const near = (scope: string, version: string, k = 8) =>
    cache.near(scope, version, direction(0), { k, cosineMin: 0.5 });
  const found = await near("s", "1");
  expect(found.map(({ id }) => id)).toEqual(["same", "near"]);
  expect(found[0]).toMatchObject({ question: "same?", edge_answer: "it", answer: "same!" });
  expect(found[0]!.cosine).toBeCloseTo(1, 4);
  expect(found[1]!.cosine).toBeCloseTo(Math.cos(0.2), 2);
  expect((await near("s", "1", 1)).map(({ id }) => id)).toEqual(["same"]);
  expect(await near("t", "1")).toEqual([]);
  expect(await near("s", "2")).toEqual([]);
  await cache.putQuestion(question("newer", 0, { at: NOW + 1 }));
  expect((await near("s", "1")).map(({ id }) => id).sort()).toEqual(["near", "newer", "same"]);
  await cache.remove("same");
  expect((await near("s", "1")).map(({ id }) => id)).toEqual(["newer", "near"]);
  await cache.passMs(1_000);
  expect(await near("s", "1")).toEqual([]);
});

it("the oldest questions go beyond the bounds of number and of bytes", async () => {
  const many = env.CACHES.getByName("many questions");
  const add = (at: number) => many.putQuestion(question(`q${at}`, 0, { at: NOW + at }));
  const known = async (id: string) => {
    const all = { k: CACHE_QUESTIONS_MAX, cosineMin: 0.5 };
    return (await many.near("s", "1", direction(0), all)).some((one) => one.id === id);
  };
  await runInDurableObject(many, async (object) => {
    for (let at = 0; at < CACHE_QUESTIONS_MAX; at++)
      await object.putQuestion(question(`q${at}`, 0, { at: NOW + at }));
  });
  expect((await many.figures(null)).questions).toBe(CACHE_QUESTIONS_MAX);
  expect(await known("q0")).toBe(true);
  await add(CACHE_QUESTIONS_MAX);
  expect((await many.figures(null)).questions).toBe(CACHE_QUESTIONS_MAX);
  expect([await known("q0"), await known("q1")]).toEqual([false, true]);
});

it("a question's bytes are those of its vector and of all its texts", async () => {
  const long = env.CACHES.getByName("long questions");
  // Two numbers and a question of three characters, and two texts for the rest: 16 fill the cache.
  const chars = (CACHE_QUESTIONS_BYTES_MAX / 16 - 2 - 2 * 3) / 2;
  const said = { edge_answer: "e".repeat(chars / 2), answer: "a".repeat(chars - chars / 2) };
  const add = (n: number, rest: Partial<CachedQuestion> = said) =>
    long.putQuestion(question(`q${n + 10}`, 0, { question: "why", at: NOW + n, ...rest }));
  for (let n = 0; n < 16; n++) await add(n);
  expect((await long.figures(null)).questions).toBe(16);
  await add(15, { ...said, answer: `${said.answer}a` });
  expect((await long.figures(null)).questions).toBe(15);
});

it("a namespace's answers are purged, and no others", async () => {
  const cache = env.CACHES.getByName("purge");
  await cache.put(answer("a"));
  await cache.put(answer("b", { namespace: "other" }));
  await cache.putQuestion(question("a", 0));
  expect(await cache.figures("docs")).toMatchObject({ answers: 1, questions: 1 });
  expect(await cache.purge("docs")).toBe(1);
  expect(await cache.figures("docs")).toEqual({ answers: 0, questions: 0, bytes: 0 });
  expect(await cache.find("b")).not.toBeNull();
});
