/** Reads request bodies: bounded, decoded strictly, and as JSON that is safe to store. */
import { GatheredBytes } from "../../index/bytes.ts";
import { cutText } from "../../index/cut.ts";
import { ServiceError } from "../errors.ts";
import {
  BODY_BYTES_MAX,
  BODY_DRAIN_BYTES_MAX,
  JSON_DEPTH_MAX,
  JSON_VALUES_MAX,
} from "../limits.ts";
import { received } from "./client-left.ts";
import type { ApiContext } from "./context.ts";

/** What clients send as JSON: the right types, and what fetch and curl say when not told. */
const JSON_TYPE =
  /^(application\/([\w.-]+\+)?json|text\/plain|application\/x-www-form-urlencoded)$/;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

/** The media type in lower case without its parameters; empty where none is given. */
export function mediaType(c: ApiContext): string {
  return (c.req.header("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
}

/** The body as text. Bytes are counted as they come, whatever content-length says. Throws
 *  `body_too_large`, `unsupported_media_type` (compressed), `invalid_json` (not UTF-8). */
export async function readText(c: ApiContext): Promise<string> {
  const bytes = await readUncompressed(c);
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new ServiceError("invalid_json", "the body is not valid UTF-8", { cause });
  }
}

/** The body as it is. Throws `body_too_large`, and `unsupported_media_type` where its content type
 *  is any but application/octet-stream, or it is compressed. */
export async function readBinary(c: ApiContext): Promise<Uint8Array> {
  const type = mediaType(c);
  if (type !== "" && type !== "application/octet-stream")
    throw new ServiceError(
      "unsupported_media_type",
      `content-type ${JSON.stringify(type)} is not supported: send application/octet-stream`,
    );
  return readUncompressed(c);
}

/** Throws `unsupported_media_type` for a body that is compressed. */
export function refuseCompressed(c: ApiContext): void {
  const encoding = c.req.header("content-encoding");
  if (encoding !== undefined && encoding.toLowerCase() !== "identity")
    throw new ServiceError(
      "unsupported_media_type",
      `content-encoding ${JSON.stringify(encoding)} is not supported: send the body uncompressed`,
    );
}

/** The body as it is. Throws `body_too_large`, `unsupported_media_type` (compressed). */
export async function readUncompressed(c: ApiContext): Promise<Uint8Array> {
  refuseCompressed(c);
  const { raw } = c.req;
  const announced = Number(c.req.header("content-length") ?? Number.NaN);
  // The runtime lets no more than that come. Read chunk by chunk, a small body takes several times
  // as much of its time as at once.
  if (announced <= BODY_BYTES_MAX)
    return checkLength(new Uint8Array(await received(raw.arrayBuffer())));
  return readBytes(raw.body);
}

/** The body as it is, which can be read once more then. Throws as `readUncompressed`. */
export async function readAhead(c: ApiContext): Promise<Uint8Array> {
  const body = await readUncompressed(c);
  const { raw } = c.req;
  if (raw.body !== null) c.req.raw = new Request(raw, { body, signal: raw.signal });
  return body;
}

/** The body as a JSON value that `checkJson` accepts; `whenEmpty` stands for a body of nothing,
 *  which is an error where that is not given. Throws as `readText` and `parseJson` do, and
 *  `unsupported_media_type` for a content type that is certainly not JSON. */
export async function readJson(c: ApiContext, whenEmpty?: unknown): Promise<unknown> {
  const value = await readUncheckedJson(c, whenEmpty);
  checkJson(value);
  return value;
}

/** As `readJson`, for a body whose parts are checked one by one. */
export async function readUncheckedJson(c: ApiContext, whenEmpty?: unknown): Promise<unknown> {
  const type = mediaType(c);
  if (type !== "" && !JSON_TYPE.test(type))
    throw new ServiceError(
      "unsupported_media_type",
      `content-type ${JSON.stringify(type)} is not supported: send application/json`,
    );
  const text = await readText(c);
  return text === "" && whenEmpty !== undefined ? whenEmpty : parseJson(text);
}

/** Throws `invalid_json` with the parser's reason; `what` is what the text is called there. */
export function parseJson(text: string, what = "the body"): unknown {
  if (text.trim() === "") throw new ServiceError("invalid_json", `${what} is empty`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "unreadable";
    throw new ServiceError("invalid_json", `${what} is not JSON: ${cutText(reason, 200)}`, {
      cause,
    });
  }
}

/** Refuses, with `invalid_request` and the place, what would not come back as it was sent: lone
 *  surrogates (not UTF-8, so a stored text would change and quotes would not match), NUL (SQLite
 *  ends a text at it), numbers beyond a double's (they would come back as null), fields named
 *  __proto__, nesting past JSON_DEPTH_MAX, which also bounds
 *  this walk's recursion and that of every reader after it, and more than JSON_VALUES_MAX values
 *  within, which bounds their work. O(size), allocating only to refuse. */
export function checkJson(root: unknown): void {
  const fault = findFault(root, 0, { left: JSON_VALUES_MAX });
  if (fault === null) return;
  const place = fault.path.reduce<string>(
    (at, step) =>
      typeof step === "number" ? `${at}[${step}]` : at === "" ? step : `${at}.${step}`,
    "",
  );
  const shown = cutText(place, 200);
  throw new ServiceError("invalid_request", `${shown || "the body"} ${fault.fact}`, {
    param: shown,
  });
}

interface Fault {
  fact: string;
  path: (string | number)[];
}

/** How many values the walk may still meet. */
interface Walk {
  left: number;
}

function meet(walk: Walk, values: number): void {
  walk.left -= values;
  if (walk.left < 0)
    throw new ServiceError(
      "invalid_request",
      `JSON of more than ${JSON_VALUES_MAX} values is not taken`,
    );
}

function findFault(value: unknown, depth: number, walk: Walk): Fault | null {
  if (typeof value === "string") return findTextFault(value);
  if (typeof value === "number" && !Number.isFinite(value))
    return { fact: "is a number beyond what a double holds", path: [] };
  if (typeof value !== "object" || value === null) return null;
  if (depth >= JSON_DEPTH_MAX)
    return { fact: `is nested deeper than ${JSON_DEPTH_MAX} levels`, path: [] };
  if (Array.isArray(value)) {
    meet(walk, value.length);
    for (let i = 0; i < value.length; i++) {
      const fault = findFault(value[i], depth + 1, walk);
      if (fault !== null) return { fact: fault.fact, path: [i, ...fault.path] };
    }
    return null;
  }
  for (const key in value) {
    meet(walk, 1);
    const named = key === "__proto__" ? { fact: "is a refused name" } : findTextFault(key);
    if (named !== null) return { fact: `has a field whose name ${named.fact}`, path: [] };
    const fault = findFault((value as Record<string, unknown>)[key], depth + 1, walk);
    if (fault !== null) return { fact: fault.fact, path: [key, ...fault.path] };
  }
  return null;
}

function findTextFault(text: string): Fault | null {
  if (!text.isWellFormed())
    return { fact: "has a lone surrogate, which UTF-8 cannot carry", path: [] };
  if (text.includes("\0")) return { fact: "has a NUL character", path: [] };
  return null;
}

async function readBytes(body: ReadableStream<Uint8Array> | null): Promise<Uint8Array> {
  if (body === null) return new Uint8Array(0);
  const gathered = new GatheredBytes();
  const reader = body.getReader();
  let length = 0;
  for (;;) {
    const { done, value } = await received(reader.read());
    if (done) break;
    length += value.byteLength;
    if (length <= BODY_BYTES_MAX) gathered.append(value);
    if (length > BODY_DRAIN_BYTES_MAX) {
      await reader.cancel();
      break;
    }
  }
  checkLength({ length });
  return gathered.bytes;
}

function checkLength<T extends { length: number }>(bytes: T): T {
  if (bytes.length > BODY_BYTES_MAX)
    throw new ServiceError("body_too_large", `a body may have ${BODY_BYTES_MAX} bytes at most`);
  return bytes;
}
