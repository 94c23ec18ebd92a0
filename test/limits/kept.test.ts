/** What an isolate keeps is bounded: with one more, the oldest goes, or all do. */
import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { Generator } from "../../src/generation/generator.ts";
import { patternOf } from "../../src/generation/schema-shape.ts";
import {
  CACHE_POLICIES_KEPT_MAX,
  GRAMMAR_PATTERNS_BYTES_MAX,
  GRAMMAR_PROPERTIES_KEPT_MAX,
  GRAMMARS_KEPT_MAX,
  KEY_CACHE_ENTRIES_MAX,
  KEY_CHARS_MAX,
  NOTES_CACHE_ENTRIES_MAX,
  ROUTER_CACHE_ENTRIES_MAX,
  SPECIAL_NODES_MAX,
  SPECIAL_TOKENS_MAX,
} from "../../src/limits.ts";
import { SpecialTokens } from "../../src/model/special-tokens.ts";
import { CachePolicies } from "../../src/pipeline/cache-policy.ts";
import { NotePolicies, type Settings } from "../../src/pipeline/notes-policy.ts";
import { RouterStates } from "../../src/pipeline/router-state.ts";
import { SETTINGS_DEFAULT, SHIPPED_VERSION } from "../../src/router/router-types.ts";
import { DEPLOYED, startApi } from "../api/fake-service.ts";
import { FakeModel, fakeTokenizer } from "../generation/fake-model.ts";

/** Asks for `max` names, then for the first again, which is known; and after one more it, or
 *  whichever was the oldest, is asked for anew. */
async function fillsAndForgets(max: number, read: (name: string) => unknown, asked: () => number) {
  const before = asked();
  for (let i = 0; i < max; i++) await read(`name-${i}`);
  expect(asked() - before).toBe(max);
  await read(`name-${max - 1}`);
  await read("name-0");
  expect(asked() - before).toBe(max);
  await read("one more");
  await read("name-0");
  expect(asked() - before).toBe(max + 2);
}

it("keys that were looked up: KEY_CACHE_ENTRIES_MAX", async () => {
  const { service, outcome } = startApi({ ...DEPLOYED, adminKeySha256: "0".repeat(64) });
  const caller = { tenant: "a", scopes: ["inference" as const], namespaces: [] };
  service.findCaller = async (hash) => {
    service.calls.push(["findCaller", hash]);
    return { ...caller, default_namespace: null };
  };
  const read = async (key: string) =>
    expect(await outcome("/v1/models", { key })).toEqual([200, null]);
  const asked = () => service.calls.filter(([name]) => name === "findCaller").length;
  await fillsAndForgets(KEY_CACHE_ENTRIES_MAX, (name) => read(name.replaceAll(" ", "-")), asked);
});

it("a key of any length is not looked up: KEY_CHARS_MAX", async () => {
  const { service, outcome } = startApi();
  const asked = () => service.calls.filter(([name]) => name === "findCaller").length;
  const key = "k".repeat(KEY_CHARS_MAX);
  service.callers.set(createHash("sha256").update(key).digest("hex"), {
    ...{ tenant: "a", scopes: ["inference"], namespaces: [], default_namespace: null },
  });
  expect(await outcome("/v1/models", { key })).toEqual([200, null]);
  expect(asked()).toBe(1);
  expect(await outcome("/v1/models", { key: `${key}k` })).toEqual([401, "invalid_key"]);
  expect(asked()).toBe(1);
});

/** A ledger without settings, and how often it was asked. */
function ledger() {
  const count = { asked: 0 };
  const getSetting = async () => {
    count.asked++;
    return null;
  };
  return { count, settings: { getSetting } as unknown as Settings };
}

it("policies of caches: CACHE_POLICIES_KEPT_MAX", async () => {
  const { count, settings } = ledger();
  const policies = new CachePolicies(() => settings);
  const read = (tenant: string) => policies.read(tenant, null);
  await fillsAndForgets(CACHE_POLICIES_KEPT_MAX, read, () => count.asked);
});

it("policies of notes: NOTES_CACHE_ENTRIES_MAX", async () => {
  const { count, settings } = ledger();
  const policies = new NotePolicies(() => settings);
  const read = (namespace: string) => policies.read("a", namespace);
  await fillsAndForgets(NOTES_CACHE_ENTRIES_MAX, read, () => count.asked);
});

it("routers of tenants: ROUTER_CACHE_ENTRIES_MAX", async () => {
  let asked = 0;
  const snapshot = async () => {
    asked++;
    const settings = SETTINGS_DEFAULT;
    const none = { unfit: null, model: null, engines: [] };
    return { revision: 1, settings, version: SHIPPED_VERSION, ...none };
  };
  type Stub = ReturnType<ConstructorParameters<typeof RouterStates>[0]>;
  const states = new RouterStates(() => ({ snapshot }) as unknown as Stub, null, []);
  const read = (tenant: string) => states.read(tenant);
  await fillsAndForgets(ROUTER_CACHE_ENTRIES_MAX, read, () => asked);
});

it("grammars of a generator: GRAMMARS_KEPT_MAX", () => {
  const tokenizer = fakeTokenizer(["a"]);
  const model = new FakeModel(tokenizer.vocab_size, 64, () => new Float32Array(0));
  const generator = new Generator(model, tokenizer);
  const grammarOf = (i: number) =>
    generator.grammar({ type: "json_schema", json_schema: { name: "a", schema: { const: i } } });
  const first = grammarOf(0);
  for (let i = 1; i < GRAMMARS_KEPT_MAX; i++) grammarOf(i);
  expect(grammarOf(0)).toBe(first);
  for (let i = 1; i <= GRAMMARS_KEPT_MAX; i++) grammarOf(i);
  expect(grammarOf(0)).not.toBe(first);
});

it("automata of patterns: GRAMMAR_PATTERNS_BYTES_MAX", () => {
  const sourceOf = (i: number) => `^x{${i}}(a|b)*a(a|b){6}$`;
  const first = patternOf([sourceOf(0)], "here");
  expect(patternOf([sourceOf(0)], "here")).toBe(first);
  let bytes = first.content.bytes;
  for (let i = 1; bytes <= GRAMMAR_PATTERNS_BYTES_MAX; i++) {
    expect(i).toBeLessThan(1_000);
    bytes += patternOf([sourceOf(i)], "here").content.bytes;
  }
  expect(patternOf([sourceOf(0)], "here")).not.toBe(first);
});

it("ranges of Unicode properties: GRAMMAR_PROPERTIES_KEPT_MAX", async () => {
  const categories = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp";
  const names = [...categories.split(" "), ..."Cc Cf Co Cs L M N P S Z".split(" ")];
  expect(names.length).toBeGreaterThan(GRAMMAR_PROPERTIES_KEPT_MAX);
  const properties = new Map<string, string>();
  let patterns = 0;
  const read = (name: string) => {
    const property = properties.get(name) ?? names[properties.size]!;
    properties.set(name, property);
    patternOf([`^[\\p{${property}}]x{${++patterns}}$`], "here"); // a pattern that is new
  };
  let asked = 0;
  const { fromCodePoint } = String;
  String.fromCodePoint = (point) => {
    if (point === 0xd800) asked++; // once for each property whose ranges are made
    return fromCodePoint(point!);
  };
  try {
    await fillsAndForgets(GRAMMAR_PROPERTIES_KEPT_MAX, read, () => asked);
  } finally {
    String.fromCodePoint = fromCodePoint;
  }
});

it("tokens that stand for themselves: SPECIAL_TOKENS_MAX and SPECIAL_NODES_MAX", () => {
  const many = new SpecialTokens();
  for (let i = 0; i < SPECIAL_TOKENS_MAX; i++) many.add(String.fromCharCode(i + 1), i, false);
  const refused = expect.objectContaining({ code: "invalid_model_file" });
  expect(() => many.add("more", 1, false)).toThrow(refused);
  const long = new SpecialTokens();
  long.add("x".repeat(SPECIAL_NODES_MAX), 0, false);
  expect(() => long.add("y", 1, false)).toThrow(refused);
});
