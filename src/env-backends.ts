/** The backends of a deployment, read from its variables and secrets and checked. */
import type { WorkersAi } from "./engine/backend-ai.ts";
import { refuseAddress } from "./env-address.ts";
import { type NumberVariable, readNumberVariable } from "./env-number.ts";
import { ServiceError } from "./errors.ts";
import {
  BACKEND_CONCURRENCY,
  BACKEND_CONCURRENCY_MAX,
  BACKEND_FIRST_BYTE_MS,
  BACKEND_FIRST_BYTE_MS_MAX,
  BACKEND_NAME_PATTERN,
  BACKEND_ORDER_MAX,
  BACKEND_TEXT_CHARS_MAX,
  BACKEND_WEIGHT_MAX,
  BACKEND_WEIGHT_MIN,
  BACKENDS_CHARS_MAX,
  BACKENDS_MAX,
  PRICE_PER_MTOK_MAX,
} from "./limits.ts";

export interface BackendConfig {
  /** `backend:NAME` is its id in requests and replies. */
  name: string;
  /** The model's own name, as the backend knows it. */
  model: string;
  /** An OpenAI-compatible server; null for the Workers AI binding. */
  url: string | null;
  key: string | null;
  /** Lower ones are asked first. */
  order: number;
  /** Its share of the requests among those of the same order. */
  weight: number;
  /** Requests under way from one isolate. */
  concurrency: number;
  /** For the first byte of one attempt. */
  deadlineMs: number;
  /** Null where they are not known. */
  prices: BackendPrices | null;
}

export type Priced = Pick<BackendConfig, "name" | "prices">;

/** USD per million tokens. */
export interface BackendPrices {
  input_per_mtok: number;
  output_per_mtok: number;
}

/** What of the bindings tells of backends; the secrets that BACKENDS names are among the rest. */
export interface BackendVariables {
  /** One backend. */
  BACKEND_URL?: string;
  BACKEND_KEY?: string;
  BACKEND_MODEL?: string;
  /** What it charges, in USD per million tokens; budgets need both. */
  BACKEND_PRICE_INPUT_PER_MTOK?: NumberVariable;
  BACKEND_PRICE_OUTPUT_PER_MTOK?: NumberVariable;
  /** Several: a JSON array (docs/backends.md). */
  BACKENDS?: string;
  /** The Workers AI binding; absent where it is not bound. */
  AI?: WorkersAi;
}

/** In the order of the configuration; none where nothing is set. Private addresses and http are
 *  for `local` runs alone. Throws `misconfigured` naming the variable and what to do. */
export function readBackends(variables: BackendVariables, local: boolean): BackendConfig[] {
  const { BACKEND_URL, BACKENDS } = variables;
  if (BACKEND_URL && BACKENDS)
    throw wrong("BACKEND_URL and BACKENDS are both set: keep one of them");
  const backends = BACKENDS ? readList(variables, BACKENDS, local) : readOne(variables, local);
  const names = new Set<string>();
  const places = new Set<string>();
  for (const [i, { name, url, model, key }] of backends.entries()) {
    if (names.has(name)) throw wrong(`BACKENDS[${i}].name: there are two backends named ${name}`);
    const place = JSON.stringify([url, model, key]);
    if (places.has(place))
      throw wrong(`BACKENDS[${i}] has the URL, the model and the key of one before it`);
    names.add(name);
    places.add(place);
  }
  return backends;
}

/** What a question that goes to a backend costs a token, in expectation: the mean, by weight, of
 *  those that are asked first; null where one of them has no prices. */
export function expectedPrices(backends: readonly BackendConfig[]): BackendPrices | null {
  const order = Math.min(...backends.map((backend) => backend.order));
  const first = backends.filter((backend) => backend.order === order);
  if (first.length === 0 || first.some(({ prices }) => prices === null)) return null;
  const weights = first.reduce((sum, { weight }) => sum + weight, 0);
  const mean = (of: keyof BackendPrices) =>
    first.reduce((sum, { weight, prices }) => sum + (weight / weights) * prices![of], 0);
  return { input_per_mtok: mean("input_per_mtok"), output_per_mtok: mean("output_per_mtok") };
}

/** The most that any of them charges; null where one has no prices, or none is there. */
export function dearestPrices(backends: readonly Priced[]): BackendPrices | null {
  const known = backends.flatMap(({ prices }) => prices ?? []);
  if (known.length === 0 || known.length < backends.length) return null;
  return {
    input_per_mtok: Math.max(...known.map(({ input_per_mtok }) => input_per_mtok)),
    output_per_mtok: Math.max(...known.map(({ output_per_mtok }) => output_per_mtok)),
  };
}

/** The prices of the backend that `brink.engine` names; null where it has none or is none. */
export function pricesOf(backends: readonly Priced[], engine: string): BackendPrices | null {
  return backends.find(({ name }) => `backend:${name}` === engine)?.prices ?? null;
}

function readOne(variables: BackendVariables, local: boolean): BackendConfig[] {
  const { BACKEND_URL, BACKEND_KEY, BACKEND_MODEL } = variables;
  const prices = readPrices("BACKEND", variables);
  if (!BACKEND_URL) return [];
  const url = checkUrl(BACKEND_URL, "BACKEND_URL", local);
  if (!BACKEND_MODEL) throw wrong("BACKEND_URL is set but BACKEND_MODEL is not");
  const key = BACKEND_KEY?.trim() || null;
  return [{ ...DEFAULTS, name: BACKEND_MODEL, model: BACKEND_MODEL, url, key, prices }];
}

const DEFAULTS = {
  order: 0,
  weight: 1,
  concurrency: BACKEND_CONCURRENCY,
  deadlineMs: BACKEND_FIRST_BYTE_MS,
};

/** Those of the variables that begin with `whose`; null where neither is set. */
export function readPrices(whose: "BACKEND" | "EDGE", variables: object): BackendPrices | null {
  const given = (name: string) => readNumberVariable((variables as Record<string, unknown>)[name]);
  const [input, output] = [`${whose}_PRICE_INPUT_PER_MTOK`, `${whose}_PRICE_OUTPUT_PER_MTOK`];
  if (given(input) === null && given(output) === null) return null;
  const price = (name: string) => {
    const value = given(name) ?? Number.NaN;
    if (value >= 0 && value <= PRICE_PER_MTOK_MAX) return value;
    throw wrong(`${name} must be USD per million tokens, from 0 to ${PRICE_PER_MTOK_MAX}`);
  };
  return { input_per_mtok: price(input), output_per_mtok: price(output) };
}

function readList(variables: BackendVariables, text: string, local: boolean): BackendConfig[] {
  if (text.length > BACKENDS_CHARS_MAX)
    throw wrong(`BACKENDS has ${text.length} characters, the limit is ${BACKENDS_CHARS_MAX}`);
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    throw wrong(`BACKENDS must be a JSON array: ${(error as Error).message}`);
  }
  if (!Array.isArray(list) || list.length === 0 || list.length > BACKENDS_MAX)
    throw wrong(`BACKENDS must be a JSON array of 1 to ${BACKENDS_MAX} backends`);
  return list.map((entry, i) => readEntry(variables, entry, `BACKENDS[${i}]`, local));
}

const FIELDS = [
  ...["name", "model", "url", "workers_ai", "key_secret", "order", "weight", "concurrency"],
  ...["deadline_ms", "price_input_per_mtok", "price_output_per_mtok"],
];

function readEntry(
  variables: BackendVariables,
  value: unknown,
  at: string,
  local: boolean,
): BackendConfig {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw wrong(`${at} must be an object with name, model and url or workers_ai`);
  const entry = value as Record<string, unknown>;
  const unknown = Object.keys(entry).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined)
    throw wrong(`${at} has a field ${JSON.stringify(unknown)}: it takes ${FIELDS.join(", ")}`);
  const name = readText(entry, "name", at);
  if (!BACKEND_NAME_PATTERN.test(name))
    throw wrong(`${at}.name is 1 to 63 letters, digits, ".", "_" and "-", not ${shown(name)}`);
  const number = (field: string, least: number, most: number, otherwise: number) =>
    readNumber(entry, field, at, least, most) ?? otherwise;
  const count = (field: string, most: number, otherwise: number) => {
    const read = number(field, field === "order" ? 0 : 1, most, otherwise);
    if (Number.isInteger(read)) return read;
    throw wrong(`${at}.${field} must be a whole number`);
  };
  return {
    name,
    model: readText(entry, "model", at),
    ...readPlace(variables, entry, at, local),
    order: count("order", BACKEND_ORDER_MAX, DEFAULTS.order),
    weight: number("weight", BACKEND_WEIGHT_MIN, BACKEND_WEIGHT_MAX, DEFAULTS.weight),
    concurrency: count("concurrency", BACKEND_CONCURRENCY_MAX, DEFAULTS.concurrency),
    deadlineMs: count("deadline_ms", BACKEND_FIRST_BYTE_MS_MAX, DEFAULTS.deadlineMs),
    prices: readEntryPrices(entry, at),
  };
}

function readPlace(
  variables: BackendVariables,
  entry: Record<string, unknown>,
  at: string,
  local: boolean,
): { url: string | null; key: string | null } {
  if (entry.workers_ai === true) {
    for (const field of ["url", "key_secret"])
      if (entry[field] != null) throw wrong(`${at} has workers_ai and ${field}: keep one of them`);
    if (variables.AI === undefined)
      throw wrong(
        `${at} is workers_ai, but the binding AI is not there: see [ai] in wrangler.toml`,
      );
    return { url: null, key: null };
  }
  if (entry.workers_ai != null && entry.workers_ai !== false)
    throw wrong(`${at}.workers_ai must be true, or left out`);
  const url = checkUrl(readText(entry, "url", at), `${at}.url`, local);
  if (entry.key_secret == null) return { url, key: null };
  const secret = readText(entry, "key_secret", at);
  if (!/^[A-Z][A-Z0-9_]*$/.test(secret) || secret.startsWith("BRINK_"))
    throw wrong(`${at}.key_secret must be the name of a secret, such as BACKEND_A_KEY`);
  const given = (variables as Record<string, unknown>)[secret];
  const key = typeof given === "string" ? given.trim() : ""; // a shell may add a newline
  if (key !== "") return { url, key };
  throw wrong(`${at}.key_secret names ${secret}, which is not set: wrangler secret put ${secret}`);
}

function readEntryPrices(entry: Record<string, unknown>, at: string): BackendPrices | null {
  const input = readNumber(entry, "price_input_per_mtok", at, 0, PRICE_PER_MTOK_MAX);
  const output = readNumber(entry, "price_output_per_mtok", at, 0, PRICE_PER_MTOK_MAX);
  if (input === null && output === null) return null;
  if (input === null || output === null)
    throw wrong(`${at} has one price: price_input_per_mtok and price_output_per_mtok go together`);
  return { input_per_mtok: input, output_per_mtok: output };
}

function readText(entry: Record<string, unknown>, field: string, at: string): string {
  const value = entry[field];
  if (typeof value !== "string" || value === "")
    throw wrong(`${at}.${field} must be ${value === undefined ? "there, as " : ""}text`);
  if (value.length > BACKEND_TEXT_CHARS_MAX)
    throw wrong(`${at}.${field} has more than ${BACKEND_TEXT_CHARS_MAX} characters`);
  return value;
}

function readNumber(
  entry: Record<string, unknown>,
  field: string,
  at: string,
  least: number,
  most: number,
): number | null {
  const value = entry[field];
  if (value == null) return null;
  if (typeof value === "number" && value >= least && value <= most) return value;
  throw wrong(`${at}.${field} must be a number from ${least} to ${most}`);
}

function checkUrl(text: string, at: string, local: boolean): string {
  const url = URL.parse(text);
  const why = url === null ? "must be an http or https URL" : refuseAddress(url, local);
  if (why !== null) throw wrong(`${at} ${why}`);
  return text;
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

function wrong(fact: string): ServiceError {
  return new ServiceError("misconfigured", fact);
}
