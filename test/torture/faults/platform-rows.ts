/** What of the platform may fail, and what each request gets then, as data: the other half of the
 *  fault matrix. */
import type { Reply } from "./backend-rows.ts";
import type { Faults } from "./faulty.ts";

/** What is asked. */
export type Asking =
  /** For the edge's own answer out of the memory. */
  | "edge"
  /** The same, and it may come from the cache and go there. */
  | "cached"
  /** For a backend's answer without memory, by a key with a budget. */
  | "paid"
  /** For a backend's answer by a key that this isolate never saw. */
  | "unknown key"
  /** To find passages. */
  | "search"
  /** To store a document. */
  | "store"
  /** To store it, with one idempotency key for all steps of a row. */
  | "store once"
  | "snapshot"
  /** To rate the row's first answer. */
  | "rate"
  /** Administrators' reads. */
  | "keys"
  | "router"
  | "traces"
  | "metrics"
  | "models"
  | "stored models"
  | "console"
  | "health";

export interface Step {
  /** What fails while it is asked. */
  faults: Faults;
  /** What the memory's own objects meet; as it was before where absent. */
  inside?: Faults;
  ask: Asking;
  expected: Partial<Reply> & { retryAfter?: string | null };
  /** How long it may take, ms, where that shows that nothing is waited for; on a busy machine. */
  msMax?: number;
}

export interface PlatformRow {
  name: string;
  steps: Step[];
  /** What the row's paying key has in the end; a settlement that fails is tried for 4 s. */
  settled?: "told" | "held" | "nothing";
  variables?: Record<string, string>;
  /** It must come before the models are loaded. */
  first?: true;
  /** Takes longer than a short run has. */
  slow?: true;
  /** It is about what requests share, which another cell's fault would strike. */
  alone?: true;
}

const ok = (route: "edge" | "backend" | null = null) => ({ status: 200, code: null, route });
const BY_EDGE = ok("edge");
const BY_BACKEND = ok("backend");
const away = (code: string) => ({ status: 503, code, retryAfter: "1" });
const STORAGE = away("storage_unavailable");
const LEDGER = away("ledger_unavailable");
/** An answer that waits for two calls of two seconds each, on a busy machine. */
const SOON_MS = 9_000;

function once(faults: Faults, ask: Asking, expected: Step["expected"], msMax?: number): Step {
  return { faults, ask, expected, ...(msMax === undefined ? {} : { msMax }) };
}

const MODELS: PlatformRow[] = [
  {
    name: "ASSETS: the models cannot be loaded, come slowly then, and stay",
    steps: [
      once({ ASSETS: "throw" }, "edge", away("model_unavailable")),
      once({ ASSETS: "throw" }, "search", away("model_unavailable")),
      once({ ASSETS: "throw" }, "paid", BY_BACKEND),
      once({ ASSETS: "slow" }, "edge", BY_EDGE),
      once({ ASSETS: "throw" }, "edge", BY_EDGE),
    ],
    first: true,
  },
  { name: "ASSETS: slow", steps: [once({ ASSETS: "slow" }, "console", ok())] },
  {
    name: "MODELS: fails",
    steps: [
      once({ MODELS: "throw" }, "stored models", STORAGE),
      once({ MODELS: "throw" }, "models", ok()),
      once({ MODELS: "throw" }, "edge", BY_EDGE),
    ],
  },
  { name: "MODELS: slow", steps: [once({ MODELS: "slow" }, "stored models", ok())] },
];

const ROUTING: PlatformRow[] = [
  {
    name: "ROUTER: fails",
    steps: [
      once({ ROUTER: "throw" }, "edge", BY_EDGE),
      once({ ROUTER: "throw" }, "router", STORAGE),
      once({ ROUTER: "throw" }, "rate", STORAGE),
      once({}, "router", ok()),
    ],
  },
  {
    name: "ROUTER: hangs",
    steps: [
      once({ ROUTER: "hang" }, "edge", BY_EDGE, SOON_MS),
      once({ ROUTER: "hang" }, "paid", BY_BACKEND, SOON_MS),
    ],
  },
  { name: "ROUTER: slow", steps: [once({ ROUTER: "slow" }, "edge", BY_EDGE)] },
  {
    name: "CACHES: fails",
    steps: [
      once({ CACHES: "throw" }, "cached", BY_EDGE),
      once({}, "cached", BY_EDGE),
      once({ CACHES: "throw" }, "cached", BY_EDGE),
    ],
  },
  {
    name: "CACHES: hangs",
    steps: [once({ CACHES: "hang" }, "cached", BY_EDGE, SOON_MS)],
  },
];

const MONEY: PlatformRow[] = [
  {
    name: "LEDGER: fails",
    steps: [
      once({ LEDGER: "throw" }, "edge", BY_EDGE),
      once({ LEDGER: "throw" }, "cached", BY_EDGE),
      once({ LEDGER: "throw" }, "unknown key", LEDGER),
      once({ LEDGER: "throw" }, "keys", LEDGER),
      once({ LEDGER: "throw" }, "store", ok()),
      once({}, "unknown key", BY_BACKEND),
    ],
  },
  {
    name: "LEDGER: hangs",
    steps: [
      once({ LEDGER: "hang" }, "edge", BY_EDGE, SOON_MS),
      once({ LEDGER: "hang" }, "unknown key", LEDGER, SOON_MS),
    ],
  },
  {
    name: "QUOTA: fails, and no more",
    steps: [once({ QUOTA: "throw" }, "paid", LEDGER), once({}, "paid", BY_BACKEND)],
    settled: "told",
  },
  {
    name: "QUOTA: hangs",
    steps: [once({ QUOTA: "hang" }, "paid", LEDGER, SOON_MS)],
  },
  {
    name: "QUOTA: fails where that is allowed",
    variables: { LEDGER_UNREACHABLE: "allow" },
    steps: [once({ QUOTA: "throw" }, "paid", BY_BACKEND)],
    settled: "nothing",
  },
  {
    name: "QUOTA: settles nothing",
    steps: [once({ QUOTA: { settle: "throw" } }, "paid", BY_BACKEND)],
    settled: "held",
  },
  {
    name: "QUOTA: slow",
    steps: [once({ QUOTA: "slow" }, "paid", BY_BACKEND)],
    settled: "told",
  },
  {
    name: "USAGE: fails",
    steps: [once({ USAGE: "throw" }, "paid", BY_BACKEND), once({}, "paid", BY_BACKEND)],
    alone: true,
  },
  {
    name: "USAGE: hangs",
    steps: [once({ USAGE: "hang" }, "paid", BY_BACKEND, SOON_MS)],
    settled: "told",
    alone: true,
  },
];

const MEMORY: PlatformRow[] = [
  {
    name: "MEMORY: fails",
    steps: [
      once({ MEMORY: "throw" }, "search", STORAGE),
      once({ MEMORY: "throw" }, "edge", STORAGE),
      once({ MEMORY: "throw" }, "store", STORAGE),
      once({ MEMORY: "throw" }, "paid", BY_BACKEND),
      once({}, "search", ok()),
    ],
  },
  { name: "MEMORY: slow", steps: [once({ MEMORY: "slow" }, "edge", BY_EDGE)] },
  {
    name: "MEMORY: hangs",
    steps: [once({ MEMORY: "hang" }, "search", STORAGE, 25_000)],
    slow: true,
  },
  {
    name: "SNAPSHOTS: fails inside the memory, and no more",
    steps: [
      { ...once({}, "snapshot", STORAGE), inside: { SNAPSHOTS: "throw" } },
      once({}, "search", ok()),
      once({}, "store", ok()),
      { ...once({}, "snapshot", { status: 202, code: null }), inside: {} },
    ],
    alone: true,
  },
];

const WATCHING: PlatformRow[] = [
  {
    name: "TRACES: fails",
    steps: [
      once({ TRACES: "throw" }, "edge", BY_EDGE),
      once({ TRACES: "throw" }, "traces", STORAGE),
      once({ TRACES: "throw" }, "metrics", ok()),
    ],
    alone: true,
  },
  {
    name: "TRACES: hangs",
    steps: [
      once({ TRACES: "hang" }, "edge", BY_EDGE, SOON_MS),
      once({ TRACES: "hang" }, "metrics", ok(), SOON_MS),
    ],
    alone: true,
  },
  {
    name: "REPLAYS: fails, and no more",
    steps: [
      once({ REPLAYS: "throw" }, "store once", LEDGER),
      once({}, "store once", ok()),
      once({ REPLAYS: "throw" }, "store", ok()),
    ],
  },
  {
    name: "REPLAYS: hangs",
    steps: [once({ REPLAYS: "hang" }, "store once", LEDGER, SOON_MS)],
  },
  {
    name: "REPLAYS: does not take what was done",
    steps: [
      once({ REPLAYS: { finish: "throw" } }, "store once", ok()),
      once({}, "store once", { status: 409, code: "idempotency_key_in_use", retryAfter: "1" }),
    ],
  },
  {
    name: "REPLAYS: never says that it took what was done",
    steps: [once({ REPLAYS: { finish: "hang" } }, "store once", ok(), SOON_MS)],
  },
];

export const PLATFORM_ROWS: readonly PlatformRow[] = [
  ...[...MODELS, ...ROUTING, ...MONEY, ...MEMORY, ...WATCHING],
];
