import {
  type BackendConfig,
  type BackendPrices,
  type BackendVariables,
  expectedPrices,
  readBackends,
  readPrices,
} from "./env-backends.ts";
import {
  checkTexts,
  type NumberVariable,
  readIsolateBytes,
  readNumberVariable,
} from "./env-number.ts";
import { readWatching, type WatchingConfig, type WatchingVariables } from "./env-watching.ts";
import { ServiceError } from "./errors.ts";
import type { CacheObject } from "./ledger/cache-object.ts";
import type { LedgerObject } from "./ledger/ledger-object.ts";
import type { QuotaObject } from "./ledger/quota-object.ts";
import type { ReplayObject } from "./ledger/replay-object.ts";
import type { TraceObject } from "./ledger/trace-object.ts";
import type { UsageObject } from "./ledger/usage-object.ts";
import { GENERATOR_CONTEXT_DEFAULT, GENERATOR_CONTEXT_MAX, MODEL_NAME_PATTERN } from "./limits.ts";
import type { MemoryObject } from "./memory/memory-object.ts";
import type OnnxWorker from "./onnx/worker.ts";
import type { RouterObject } from "./router/router-object.ts";

export type { BackendConfig, BackendPrices };

/** The bindings of wrangler.toml, as the runtime hands them over. */
export interface Env extends BackendVariables, WatchingVariables {
  ASSETS: Fetcher;
  MEMORY: DurableObjectNamespace<MemoryObject>;
  LEDGER: DurableObjectNamespace<LedgerObject>;
  /** One a key that has limits, named TENANT/KEY. */
  QUOTA: DurableObjectNamespace<QuotaObject>;
  /** One a tenant, named as it. */
  USAGE: DurableObjectNamespace<UsageObject>;
  ROUTER: DurableObjectNamespace<RouterObject>;
  /** Replies of writes by their idempotency keys, an object a tenant. */
  REPLAYS: DurableObjectNamespace<ReplayObject>;
  /** One a tenant, named as it. */
  TRACES: DurableObjectNamespace<TraceObject>;
  /** Cached answers, CACHE_SLICES a tenant, named TENANT/SLICE. */
  CACHES: DurableObjectNamespace<CacheObject>;
  /** The Worker of wrangler.onnx.toml; absent where it is not deployed. */
  ONNX?: Service<typeof OnnxWorker>;
  /** The generator's and the ONNX models; absent where neither Worker is deployed. */
  MODELS?: R2Bucket;
  /** Where the memory's snapshots go; none are made where it is absent. */
  SNAPSHOTS?: R2Bucket;
  /** Where namespaces with `vector_tier` "vectorize" search; there are none where it is absent. */
  VECTORIZE?: Vectorize;
  /** The Worker of wrangler.generator.toml; absent where it is not deployed. */
  GENERATOR?: Fetcher;
  /** "1" under `npm start` only: the fixed keys work and Brink's documentation is preloaded. */
  BRINK_LOCAL?: string;
  /** What a local run's namespace `docs` is filled with: Brink's documentation (`docs`, the
   *  default), or nothing (`none`). */
  BRINK_PRELOAD?: string;
  BRINK_ADMIN_KEY_SHA256?: string;
  BRINK_ALLOWED_ORIGINS?: string;
  /** The model that writes answers where a request names none; none where it is absent. */
  BRINK_GENERATOR_MODEL?: string;
  /** Tokens that a generator's prompt and answer may have together. */
  BRINK_GENERATOR_CONTEXT?: NumberVariable;
  /** What models and indexes may hold together, in MB; the memory's objects read it. */
  BRINK_ISOLATE_MEMORY_MB?: NumberVariable;
  /** What the edge's own engines charge, likewise; nothing where both are absent. */
  EDGE_PRICE_INPUT_PER_MTOK?: NumberVariable;
  EDGE_PRICE_OUTPUT_PER_MTOK?: NumberVariable;
  /** What becomes of requests while the ledger of keys and limits cannot be reached: `deny`, the
   *  default, or `allow`. */
  LEDGER_UNREACHABLE?: string;
}

export interface GeneratorConfig {
  /** Null: only requests that name a model of the generator's get it. */
  model: string | null;
  context: number;
}

/** The bindings once checked. */
export interface Config {
  /** Fixed keys and open CORS: only for a service that answers on a loopback host. */
  local: boolean;
  /** Whether a local run's namespace `docs` is filled. */
  preload: boolean;
  /** SHA-256, hex, of the admin key of tenant `default`. */
  adminKeySha256: string | null;
  /** Origins that browsers may call from; `*` for all. */
  allowedOrigins: string[] | "*";
  /** Empty where none is configured. */
  backends: BackendConfig[];
  /** What a question costs that goes to a backend; null where that is not known. */
  prices: BackendPrices | null;
  edgePrices: BackendPrices;
  ledgerUnreachable: "deny" | "allow";
  /** Null where no generator is bound. */
  generator: GeneratorConfig | null;
  watching: WatchingConfig;
}

/** Numbers are checked where they are read. */
const TEXTS = [
  ...["BRINK_LOCAL", "BRINK_PRELOAD", "BRINK_ADMIN_KEY_SHA256", "BRINK_ALLOWED_ORIGINS"],
  ...["BRINK_GENERATOR_MODEL", "LEDGER_UNREACHABLE"],
  ...["BACKEND_URL", "BACKEND_KEY", "BACKEND_MODEL", "BACKENDS"],
  ...["BRINK_TRACE_TEXT", "BRINK_LOG", "BRINK_LOG_TEXT"],
  ...["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"],
  ...["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_SERVICE_NAME"],
];

/** Checks the bindings for a request that came in on `hostname`. A deployment that carries
 *  BRINK_LOCAL by mistake still refuses the fixed keys, because no public host is a loopback one.
 *  Throws `misconfigured` naming the variable that is wrong. */
export function readConfig(env: Env, hostname: string): Config {
  checkTexts(env, TEXTS);
  readIsolateBytes(env.BRINK_ISOLATE_MEMORY_MB); // said to whoever asks, not to the memory alone
  const local = env.BRINK_LOCAL === "1" && isLoopback(hostname);
  const adminKeySha256 = env.BRINK_ADMIN_KEY_SHA256?.toLowerCase() || null;
  if (adminKeySha256 !== null && !/^[0-9a-f]{64}$/.test(adminKeySha256))
    throw new ServiceError("misconfigured", "BRINK_ADMIN_KEY_SHA256 must be 64 hexadecimal digits");
  const backends = readBackends(env, local);
  const origins = readOrigins(env);
  return {
    local,
    preload: readChoice(env, "BRINK_PRELOAD", ["docs", "none"]) === "docs",
    adminKeySha256,
    allowedOrigins: local && !env.BRINK_ALLOWED_ORIGINS ? "*" : origins,
    backends,
    prices: expectedPrices(backends),
    edgePrices: readPrices("EDGE", env) ?? { input_per_mtok: 0, output_per_mtok: 0 },
    ledgerUnreachable: readChoice(env, "LEDGER_UNREACHABLE", ["deny", "allow"]),
    generator: readGenerator(env),
    watching: readWatching(env, local),
  };
}

const configs = new WeakMap<Env, Map<boolean, Config>>();

/** As `readConfig`, worked out once: an isolate is handed the same bindings with every request.
 *  `url` is the request's, whose host only a local service looks at. */
export function configOf(env: Env, url: string): Config {
  const known = configs.get(env) ?? new Map<boolean, Config>();
  configs.set(env, known);
  const local = env.BRINK_LOCAL === "1" && LOOPBACK_URL.test(url);
  const config = known.get(local) ?? readConfig(env, new URL(url).hostname);
  known.set(local, config);
  return config;
}

/** A `URL` would be made for each request. Where it is wrong, `readConfig` says so all the same. */
const LOOPBACK = String.raw`(localhost|\[::1\]|127(\.\d{1,3}){3})`;
const LOOPBACK_HOST = new RegExp(`^${LOOPBACK}$`);
const LOOPBACK_URL = new RegExp(`^https?://${LOOPBACK}(:\\d+)?/`);

function isLoopback(hostname: string): boolean {
  return LOOPBACK_HOST.test(hostname);
}

/** Each as a browser sends it in the header Origin, or none would ever match. */
function readOrigins(env: Env): string[] | "*" {
  const named = (env.BRINK_ALLOWED_ORIGINS ?? "").split(",").map((origin) => origin.trim());
  const origins = named.filter((origin) => origin !== "");
  if (origins.includes("*")) return "*";
  if (!origins.every(isOrigin))
    throw new ServiceError(
      "misconfigured",
      "BRINK_ALLOWED_ORIGINS must be *, or origins such as https://app.example.com without a path",
    );
  return origins;
}

/** Scheme, host, and port where it is not the scheme's own: not `URL.origin`, which apps' and
 *  extensions' schemes do not have. */
function isOrigin(text: string): boolean {
  if (!URL.canParse(text) || text.includes("*")) return false;
  const { protocol, host } = new URL(text);
  return text === `${protocol}//${host}`;
}

function readGenerator(env: Env): GeneratorConfig | null {
  const model = env.BRINK_GENERATOR_MODEL || null;
  if (env.GENERATOR === undefined || env.MODELS === undefined) {
    if (model === null) return null;
    throw new ServiceError(
      "misconfigured",
      "BRINK_GENERATOR_MODEL is set but the bindings GENERATOR and MODELS are not",
    );
  }
  if (model !== null && !MODEL_NAME_PATTERN.test(model))
    throw new ServiceError("misconfigured", "BRINK_GENERATOR_MODEL is no model's name");
  const context = readNumberVariable(env.BRINK_GENERATOR_CONTEXT) ?? GENERATOR_CONTEXT_DEFAULT;
  if (!Number.isInteger(context) || context < 64 || context > GENERATOR_CONTEXT_MAX)
    throw new ServiceError(
      "misconfigured",
      `BRINK_GENERATOR_CONTEXT must be an integer between 64 and ${GENERATOR_CONTEXT_MAX}`,
    );
  return { model, context };
}

/** One of two; the first where the variable is absent. */
function readChoice<Choice extends string>(
  env: Env,
  name: "BRINK_PRELOAD" | "LEDGER_UNREACHABLE",
  choices: readonly [Choice, Choice],
): Choice {
  const chosen = choices.find((choice) => choice === (env[name] || choices[0]));
  if (chosen !== undefined) return chosen;
  throw new ServiceError("misconfigured", `${name} must be ${choices.join(" or ")}`);
}
