/** GET requests to where a name was first found to lead: who answers for the name in the DNS cannot
 *  give one address to be looked at and another to be fetched from. */
import { type LookupAddress, promises } from "node:dns";
import * as http from "node:http";
import * as https from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { pipeline, Readable } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { CLI_IDLE_MS_MAX } from "./limits.ts";

/** By name, for as long as the process lives: the look at a redirect, what is fetched then and the
 *  later pages of the same site all have the addresses of the first look. */
const pins = new Map<string, Promise<LookupAddress[]>>();

/** All addresses of the name, which stay the same; of an address itself. Throws where there is
 *  none, and looks again then. */
export function addressesOf(host: string): Promise<LookupAddress[]> {
  const bare = host.replace(/^\[|\]$/g, "");
  const family = isIP(bare);
  if (family !== 0) return Promise.resolve([{ address: bare, family }]);
  const pinned = pins.get(bare);
  if (pinned !== undefined) return pinned;
  const found = promises.lookup(bare, { all: true });
  pins.set(bare, found);
  found.catch(() => pins.delete(bare));
  return found;
}

/** Only the connection's address is pinned: the host header, and the name that a certificate must
 *  bear, are the URL's. */
const lookup: LookupFunction = (host, { all, family }, done) => {
  const among = family === 4 || family === 6 ? [family] : [4, 6];
  const pick = (found: LookupAddress[]) => {
    const fit = found.filter((one) => among.includes(one.family));
    if (fit.length === 0) done(new Error(`${host} has no IPv${family} address`), []);
    else if (all) done(null, fit);
    else done(null, fit[0]!.address, fit[0]!.family);
  };
  addressesOf(host).then(pick, (error) => done(error, []));
};

export interface PinnedInit {
  headers: Record<string, string>;
  signal?: AbortSignal;
}

/** The reply to a GET of an http or https URL, its body decoded; redirects are replies as others.
 *  Throws Error where there is none, as the body does where it breaks off. */
export function fetchPinned(url: URL, { headers, signal }: PinnedInit): Promise<Response> {
  // In the URL they would become an authorization header, and part of ids and messages.
  if (url.username !== "" || url.password !== "")
    return Promise.reject(new Error("an address with a user or password is not fetched"));
  const { request } = url.protocol === "https:" ? https : http;
  return new Promise((resolve, reject) => {
    const options = {
      headers: { ...DEFAULT_HEADERS, ...headers },
      lookup,
      timeout: CLI_IDLE_MS_MAX,
    };
    const sent = request(url.href, options, (reply) => {
      stop = (error) => reply.destroy(error);
      try {
        resolve(responseOf(reply));
      } catch (error) {
        reply.destroy();
        reject(error);
      }
    });
    let stop = (error: Error): unknown => sent.destroy(error);
    const abort = () => stop(signal!.reason);
    sent.on("timeout", () => stop(new Error(`nothing came for ${CLI_IDLE_MS_MAX / 1000} s`)));
    sent.on("error", reject);
    sent.on("close", () => signal?.removeEventListener("abort", abort));
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
    sent.end();
  });
}

const DEFAULT_HEADERS = {
  "user-agent": "brink",
  accept: "*/*",
  "accept-encoding": "gzip, deflate, br",
};
const DECODERS: Record<string, () => NodeJS.ReadWriteStream> = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};
/** Replies that have none (RFC 9110, 15.3.5, 15.3.6 and 15.4.5). */
const WITHOUT_BODY = [204, 205, 304];

/** Throws RangeError for a status that is none. */
function responseOf(reply: http.IncomingMessage): Response {
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(reply.headersDistinct))
    for (const value of values) headers.append(name, value);
  const status = reply.statusCode!;
  if (WITHOUT_BODY.includes(status)) {
    reply.resume();
    return new Response(null, { status, headers });
  }
  const decoder = DECODERS[headers.get("content-encoding")?.trim().toLowerCase() ?? ""]?.();
  // An error of either ends both, and is the reader's: here there is nobody to tell.
  const body = decoder === undefined ? reply : pipeline(reply, decoder, () => {});
  return new Response(Readable.toWeb(body as Readable) as BodyInit, { status, headers });
}
