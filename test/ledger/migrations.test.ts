/** Every schema that the ledger's objects and the router's ever had, with data in it, opened by
 *  today's code; and one from the future, which is refused. A new step needs its fixture here. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { type DurableObject, env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { codeOf } from "../../src/errors.ts";
import * as caches from "../../src/ledger/cache-object.ts";
import * as ledger from "../../src/ledger/ledger-object.ts";
import { migrate } from "../../src/ledger/migrate.ts";
import { dayOf } from "../../src/ledger/periods.ts";
import * as quota from "../../src/ledger/quota-object.ts";
import * as replays from "../../src/ledger/replay-object.ts";
import * as traces from "../../src/ledger/trace-object.ts";
import * as usage from "../../src/ledger/usage-object.ts";
import { NAMESPACE_DEFAULTS } from "../../src/memory/types.ts";
import type { RouterObject } from "../../src/router/router-object.ts";
import * as router from "../../src/router/router-schema.ts";
import { SHIPPED_FILE } from "../../src/router/shipped.ts";
import { makeSchema, rowsOf, schemaOf, storeAsBefore } from "../support/old-schema.ts";

/** What an object of one class stored, and what is to be read of it. */
interface Past<T extends DurableObject> {
  binding: DurableObjectNamespace<T>;
  steps: readonly string[];
  /** The n-th fills schema n + 1, which the steps have made. */
  fills: ((sql: SqlStorage) => void)[];
  /** Fails unless all that schema `version` held is there, and the object goes on working. */
  check(stub: DurableObjectStub<T>, version: number): Promise<void>;
}

const TODAY = dayOf(Date.now());
const HASHES = ["0", "1", "2"].map((digit) => digit.repeat(64));

/** Of a key as the first two schemas had it, and as the third has it. */
const OLD_KEY = {
  ...{ id: "writer", name: "old", tenant: "t", role: "inference" },
  ...{ permissions: ["memory:write"], namespaces: ["docs"], default_namespace: null },
  created_at: 1,
};
const { role: _, permissions: __, ...KEPT } = OLD_KEY;
const NEW_KEY = {
  ...{ ...KEPT, scopes: ["inference", "memory:write"], expires_at: null, disabled: false },
  ...{ requests_per_minute: null, tokens_per_minute: null },
  ...{ budget_usd: null, budget_period: "month" },
};
const UPLOAD = { id: "u", name: "model", bytes: 7, sha256: "a", multipart: "m", part_bytes: 5 };

function fillLedger(sql: SqlStorage, key: object): void {
  sql.exec("INSERT INTO keys VALUES (?, 'writer', 't', ?)", HASHES[0]!, JSON.stringify(key));
  sql.exec("INSERT INTO namespaces VALUES ('t', 'docs', '{\"k1\":2}', 5)");
  sql.exec("INSERT INTO settings VALUES ('t', 'router', '{\"a\":1}')");
}

function fillUploads(sql: SqlStorage): void {
  sql.exec("INSERT INTO uploads VALUES ('u', ?, ?)", JSON.stringify(UPLOAD), Date.now());
  sql.exec("INSERT INTO upload_parts VALUES ('u', 1, 'etag')");
}

const LEDGER: Past<ledger.LedgerObject> = {
  binding: env.LEDGER,
  steps: ledger.MIGRATIONS,
  fills: [
    (sql) => fillLedger(sql, OLD_KEY),
    (sql) => {
      fillLedger(sql, OLD_KEY);
      fillUploads(sql);
    },
    (sql) => {
      fillLedger(sql, NEW_KEY);
      fillUploads(sql);
      const old = "INSERT INTO old_hashes VALUES (?, 't', 'writer', ?)";
      sql.exec(old, HASHES[1]!, Date.now() + 60_000);
    },
  ],
  async check(stub, version) {
    expect(await stub.findKey(HASHES[0]!)).toEqual(NEW_KEY);
    expect(await stub.findKey(HASHES[1]!)).toEqual(version < 3 ? null : NEW_KEY);
    expect(await stub.listNamespaces("t")).toEqual([
      { tenant: "t", name: "docs", options: { ...NAMESPACE_DEFAULTS, k1: 2 }, created_at: 5 },
    ]);
    expect(await stub.getSetting("t", "router")).toBe('{"a":1}');
    const uploads = await stub.listUploads();
    expect(uploads).toMatchObject(version < 2 ? [] : [{ ...UPLOAD, parts: [{ part: 1 }] }]);
    expect(await stub.rotateKey("t", "writer", HASHES[2]!, 1_000)).toEqual(NEW_KEY);
    expect(await stub.findKey(HASHES[0]!)).toEqual(NEW_KEY);
  },
};

const QUOTA: Past<quota.QuotaObject> = {
  binding: env.QUOTA,
  steps: quota.MIGRATIONS,
  fills: [
    (sql) => {
      const until = Date.now() + 60_000;
      sql.exec("INSERT INTO reservations VALUES ('r', ?, 7, 'open', ?)", TODAY, until);
      sql.exec("INSERT INTO spent VALUES (?, 40, 2)", TODAY);
    },
  ],
  async check(stub) {
    const before = { spent_nanos: 40, held_nanos: 7, lapsed_nanos: 2 };
    expect(await stub.budget("day")).toMatchObject(before);
    expect(await stub.settle("r", 5)).toBe(true);
    expect(await stub.budget("day")).toMatchObject({ spent_nanos: 45, held_nanos: 0 });
  },
};

const USAGE: Past<usage.UsageObject> = {
  binding: env.USAGE,
  steps: usage.MIGRATIONS,
  fills: [(sql) => sql.exec("INSERT INTO usage VALUES (?, 'k', 3, 1, 20, 10, 500)", TODAY)],
  async check(stub) {
    const counts = { requests: 3, refused: 1, prompt_tokens: 20, completion_tokens: 10 };
    expect(await stub.byKey(7)).toMatchObject([{ key: "k", ...counts, nanos: 500 }]);
    await stub.record([{ day: TODAY, key: "k", ...counts, nanos: 500 }]);
    expect(await stub.byDay(7, "k")).toMatchObject([{ requests: 6, nanos: 1_000 }]);
  },
};

const REPLAYS: Past<replays.ReplayObject> = {
  binding: env.REPLAYS as unknown as DurableObjectNamespace<replays.ReplayObject>,
  steps: replays.MIGRATIONS,
  fills: [
    (sql) => {
      const put = "INSERT INTO replays VALUES ('a', 'f', 't', ?, 2, 201, 'text/plain', x'0102')";
      sql.exec(put, Date.UTC(2026, 10, 29)); // which is when the test's objects begin
    },
  ],
  async check(stub) {
    const reply = { status: 201, type: "text/plain", body: new Uint8Array([1, 2]) };
    expect(await stub.claim("a", "f", "t2")).toEqual({ state: "done", reply });
    expect(await stub.claim("b", "f", "t2")).toEqual({ state: "new" });
  },
};

const CACHES: Past<caches.CacheObject> = {
  binding: env.CACHES as unknown as DurableObjectNamespace<caches.CacheObject>,
  steps: caches.MIGRATIONS,
  fills: [
    (sql) => {
      const [at, end] = [Date.UTC(2026, 10, 29), Date.UTC(2026, 10, 30)];
      const put = "INSERT INTO answers VALUES ('a', 'docs', '1', 0, ?, ?, 2, x'0102')";
      sql.exec(put, at, end);
      const ask = `INSERT INTO questions VALUES
        ('a', 'docs', 's', '1', 0, 'a?', NULL, 'a!', ?, ?, 9, x'7f00')`;
      sql.exec(ask, at, end);
    },
  ],
  async check(stub) {
    expect(await stub.find("a")).toMatchObject({ version: "1", body: new Uint8Array([1, 2]) });
    const near = await stub.near("s", "1", Float32Array.of(1, 0), { k: 1, cosineMin: 0.9 });
    expect(near).toMatchObject([{ id: "a", question: "a?", edge_answer: null, cosine: 1 }]);
    expect(await stub.purge(null)).toBe(1);
  },
};

const OUTCOME = {
  ...{ trace_id: "trace", at: Date.now(), namespace: "docs", question: "When?", engine: "x" },
  ...{ difficulty: 0.25, edge_answer: "3 May", text: "3 May", weights_version: "theirs" },
  ...{ route: "edge", features: {}, passages: [] },
};

function fillRouter(sql: SqlStorage): void {
  sql.exec(
    "INSERT INTO outcomes VALUES (1, 'trace', ?, 0, 60, 'docs', 1, ?, 'bad')",
    ...[Date.now(), JSON.stringify(OUTCOME)],
  );
  sql.exec("INSERT INTO labels VALUES (1, 'feedback', 'trace', ?, .25, 1)", SHIPPED_FILE.version);
  sql.exec(
    "INSERT INTO versions VALUES (1, 9, 'upload', 'mine', 'theirs', 2, 0, ?)",
    JSON.stringify({ ...SHIPPED_FILE, version: "theirs" }),
  );
  sql.exec("INSERT INTO state VALUES ('version', '\"v1\"')");
}

const ROUTER: Past<RouterObject> = {
  binding: env.ROUTER,
  steps: router.MIGRATIONS,
  fills: [
    fillRouter,
    (sql) => {
      fillRouter(sql);
      sql.exec("INSERT INTO engine_labels VALUES (1, 'small', 'trace', 'theirs', .5, 1)");
    },
  ],
  async check(stub) {
    expect(await stub.find("trace")).toMatchObject({ ...OUTCOME, rating: "bad" });
    const { labels, outcomes, version } = await stub.overview();
    expect([labels, outcomes]).toEqual([{ backend: 0, feedback: 1 }, 1]);
    expect(version).toBe("v1");
    expect(await stub.versions()).toMatchObject([
      { version: "v1", note: "mine", weights_version: "theirs", active: true },
      { version: "shipped" },
    ]);
    expect(await stub.rate("trace", "good", false)).toBe(true);
    expect(await stub.find("trace")).toMatchObject({ rating: "good" });
  },
};

const TRACE = { trace_id: "trace", at: 9, status: 200, route: "edge", key: "k" };

const TRACES: Past<traces.TraceObject> = {
  binding: env.TRACES as unknown as DurableObjectNamespace<traces.TraceObject>,
  steps: traces.MIGRATIONS,
  fills: [
    (sql) => {
      sql.exec(
        "INSERT INTO traces VALUES (1, 'trace', ?, 5, 200, 'edge', 'k', 'docs', 0, 60, ?, ?)",
        ...[Date.UTC(2026, 10, 29), JSON.stringify(TRACE), JSON.stringify({ spans: [] })],
      );
      sql.exec("INSERT INTO series VALUES (1, ?)", JSON.stringify([["requests", 7]]));
    },
  ],
  async check(stub) {
    expect(await stub.find("trace")).toEqual({ ...TRACE, spans: [] });
    await stub.record({ traces: [], series: [["requests", 2]] });
    expect(await stub.series()).toEqual([["requests", 9]]);
    expect(await stub.forget("docs")).toBe(1);
  },
};

const OBJECTS = { LEDGER, QUOTA, USAGE, REPLAYS, CACHES, ROUTER, TRACES } as unknown as Record<
  string,
  Past<DurableObject>
>;
const EACH = Object.entries(OBJECTS).flatMap(([name, { steps }]) =>
  steps.map((_, i) => [name, i + 1] as const),
);

it("every step of every object has a fixture", () => {
  for (const { steps, fills } of Object.values(OBJECTS)) expect(fills).toHaveLength(steps.length);
});

it.each(EACH)("what %s stored by schema %i is read and goes on", async (name, version) => {
  const { binding, steps, fills, check } = OBJECTS[name]!;
  const stub = binding.getByName(`past/${name}/${version}`);
  await storeAsBefore(stub, (sql) => {
    makeSchema(sql, steps, version);
    fills[version - 1]!(sql);
  });
  await check(stub, version);
  const fresh = binding.getByName(`fresh/${name}`);
  const schema = (of: DurableObjectStub<DurableObject>) =>
    runInDurableObject(of, (_, { storage }) => schemaOf(storage.sql));
  expect(await schema(stub)).toEqual(await schema(fresh));
  await evictDurableObject(stub);
  const stored = "SELECT value FROM meta WHERE name = 'schema'";
  await runInDurableObject(stub, (_, { storage: { sql } }) => {
    expect(sql.exec(stored).one().value).toBe(steps.length);
  });
});

it.each(Object.keys(OBJECTS))("%s from a newer version is refused and left alone", async (name) => {
  const { binding, steps, fills } = OBJECTS[name]!;
  const stub = binding.getByName(`newer/${name}`);
  await storeAsBefore(stub, (sql) => {
    makeSchema(sql, steps, steps.length);
    fills.at(-1)!(sql);
  });
  await runInDurableObject(stub, (instance, state) => {
    const { sql } = state.storage;
    sql.exec("UPDATE meta SET value = ? WHERE name = 'schema'", steps.length + 1);
    const before = rowsOf(sql);
    const Past = Object.getPrototypeOf(instance).constructor;
    expect(() => new Past(state, env)).toThrow(
      `storage has schema ${steps.length + 1}, this version of Brink knows ${steps.length}`,
    );
    expect(rowsOf(sql)).toEqual(before);
  });
  await evictDurableObject(stub);
  // Any call will do: the object cannot be made.
  const call = (stub as unknown as { budget(period: string): Promise<unknown> }).budget("day");
  const code = await call.then(
    () => expect.unreachable(),
    (error: unknown) => codeOf(error),
  );
  expect(code).toBe("storage_too_new");
});

it("steps that fail leave all as it was, and are taken again", async () => {
  const stub = env.USAGE.getByName("past/failing");
  const make = "CREATE TABLE a (n INTEGER); INSERT INTO a VALUES (1);";
  await runInDurableObject(stub, (_, { storage }) => {
    const { sql } = storage;
    sql.exec("UPDATE meta SET value = 0 WHERE name = 'schema'");
    const [tables, rows] = [schemaOf(sql), rowsOf(sql)];
    const run = (steps: string[]) => storage.transactionSync(() => migrate(sql, steps));
    expect(() => run([make, "INSERT INTO a VALUES (2); INSERT INTO nowhere VALUES (1)"])).toThrow();
    expect([schemaOf(sql), rowsOf(sql)]).toEqual([tables, rows]);
    run([make, "INSERT INTO a VALUES (2)"]);
    run([make, "INSERT INTO a VALUES (2)"]);
    expect(rowsOf(sql).a).toEqual([{ n: 1 }, { n: 2 }]);
  });
});
