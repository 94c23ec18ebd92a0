/** JSON bodies: what succeeds, spoilt as values and as bytes, through the HTTP layer. */
import { ERROR_CODES, type ErrorCode } from "../../src/errors.ts";
import { ERROR_CHARS_MAX, JSON_DEPTH_MAX } from "../../src/limits.ts";
import { startApi } from "../api/fake-service.ts";
import { EXAMPLES } from "../torture/api-examples.ts";
import { ODD_TEXTS, type Random } from "./random.ts";
import { must, mustEqual, type Target } from "./target.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const ODD_VALUES: readonly Json[] = [
  ...[null, true, 0, -1, 0.5, 1e308, -1e-320, 2 ** 53, {}, [], [[]], [null]],
  ...ODD_TEXTS,
  "x".repeat(10_000),
];
/** Bytes that are no text, or no JSON. */
const ODD_BYTES = [
  ...[[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xef, 0xbb, 0xbf]],
  ...[
    "{",
    "}",
    "[",
    "]",
    '"',
    ",",
    ":",
    "\\",
    "\\u12",
    "\\ud800",
    "/*",
    "\0",
    "nul",
    "01",
    "'",
  ].map((text) => [...Buffer.from(text)]),
];

/** The value with one place in it changed. */
function mutated(value: Json, random: Random): Json {
  if (typeof value !== "object" || value === null || random.once(8)) return replaced(value, random);
  if (Array.isArray(value)) {
    const out = [...value];
    const at = random.below(out.length + 1);
    if (at === out.length || random.once(6)) out.splice(at, 0, random.pick(ODD_VALUES));
    else if (random.once(5)) out.splice(at, 1);
    else out[at] = mutated(out[at]!, random);
    return out;
  }
  const entries = Object.entries(value);
  const at = random.below(entries.length + 1);
  if (at === entries.length) entries.push([random.pick(ODD_TEXTS), random.pick(ODD_VALUES)]);
  else if (random.once(6)) entries.splice(at, 1);
  else entries[at]![1] = mutated(entries[at]![1], random);
  return Object.fromEntries(entries);
}

function replaced(value: Json, random: Random): Json {
  if (random.once(3)) return [value];
  if (random.once(20)) return `${DEEP}${random.pick([JSON_DEPTH_MAX - 9, JSON_DEPTH_MAX, 5_000])}`;
  return random.pick(ODD_VALUES);
}

/** Stands for so many levels, which JSON.stringify could not write. */
const DEEP = "levels: ";

const written = (value: Json) =>
  JSON.stringify(value).replace(/"levels: (\d+)"/g, (_, levels: string) => {
    return `${'[{"a":'.repeat(Number(levels) / 2)}1${"}]".repeat(Number(levels) / 2)}`;
  });

function spoilt(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + random.below(6));
  const put = random.once(3) ? Buffer.alloc(0) : Buffer.from(random.pick(ODD_BYTES));
  return Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(end)]);
}

/** How a strict reader reads the bytes: a value, or undefined where they are not JSON in UTF-8. */
function strictly(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch {
    return undefined;
  }
}

const OPERATIONS = Object.entries(EXAMPLES).map(([operation, bodies]) => {
  const [method, path] = operation.split(" ") as [string, string];
  return { method, path: path.replace(/\{\w+\}/g, "docs"), bodies: bodies as Json[] };
});

export const jsonBodies: Target = {
  name: "json",
  about: "bodies of every operation, spoilt as values and as bytes: an answer or a code that fits",
  cases: 30_000,
  short: 600,
  ends: ["answered", "invalid_json", "invalid_request"],
  // What the fake service behind the HTTP layer says, and what no schema is asked of.
  rare: ["model_not_found", "namespace_not_found", "document_not_found", "unsupported_parameter"],
  prepare: () => async (random, show) => {
    const { method, path, bodies } = random.pick(OPERATIONS);
    let value = random.pick(bodies);
    for (let times = random.below(4); times > 0; times--) value = mutated(value, random);
    const clean = Buffer.from(written(value));
    const bytes = random.once(3) ? spoilt(clean, random) : clean;
    show(`${method} ${path} ${bytes.toString("latin1")}`);
    const api = startApi();
    const response = await api.call(path, { method, raw: new Uint8Array(bytes) });
    const text = await response.text();
    if (response.status < 400) {
      must(bytes.length === 0 || strictly(bytes) !== undefined, "what is not JSON was taken");
      // Of several documents each is told of by itself, in the answer.
      const each = path.endsWith("/documents");
      must(each || depthOf(strictly(bytes)) <= JSON_DEPTH_MAX, "what is nested too deep was taken");
      return "answered";
    }
    const { error } = JSON.parse(text) as { error: Record<string, unknown> };
    mustEqual(Object.keys(error).sort(), ["code", "message", "param", "type"], "an error's fields");
    const code = error.code as ErrorCode;
    must(Object.hasOwn(ERROR_CODES, code) && code !== "internal", `the code ${code}: ${text}`);
    const { status, type } = ERROR_CODES[code];
    mustEqual([response.status, error.type], [status, type], "status and type");
    for (const field of ["message", "param"])
      must(String(error[field]).length <= ERROR_CHARS_MAX, `a ${field} of any length`);
    if (code === "invalid_json") must(strictly(bytes) === undefined, "what is JSON was not read");
    return code;
  },
};

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Object.values(value).reduce((most, part) => Math.max(most, depthOf(part)), 0);
}
