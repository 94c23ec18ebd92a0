/** Writes by idempotency keys. A reply may hold what nobody stores, as a new key's text: it is kept
 *  sealed with what its caller alone has, the API key and the idempotency key. */
import type { Claim, ReplayObject, StoredReply } from "../ledger/replay-object.ts";
import { logEvent } from "../log-event.ts";
import { sha256Hex } from "./digest.ts";
import { reachLedger } from "./ledger-call.ts";

const IV_BYTES = 12;

/** One write. `secret` is never stored; callers with different ones share no entry. */
export interface IdempotentWrite {
  tenant: string;
  secret: string;
  /** Of the whole request: another one under the same key is refused. */
  fingerprint: string;
}

/** A write that is the caller's to do: it must be finished or released. Neither rejects: the write
 *  is done, or has failed, whether or not that can be put down. What is neither counts as under way
 *  for REPLAY_RUNNING_MS_MAX. */
export interface OpenWrite {
  finish(reply: StoredReply): Promise<void>;
  release(): Promise<void>;
}

export type Begun =
  | OpenWrite
  | { state: "running" | "other" }
  | { state: "done"; reply: StoredReply };

export class Replays {
  readonly #object: (tenant: string) => DurableObjectStub<ReplayObject>;

  constructor(object: (tenant: string) => DurableObjectStub<ReplayObject>) {
    this.#object = object;
  }

  /** Throws `ledger_unavailable`. */
  async begin({ tenant, secret, fingerprint }: IdempotentWrite): Promise<Begun> {
    const object = this.#object(tenant);
    const id = sha256Hex(`brink replay id\0${secret}`);
    const token = crypto.randomUUID();
    const { state, reply }: Claim = await reachLedger(() => object.claim(id, fingerprint, token));
    if (reply !== undefined)
      return { state: "done", reply: { ...reply, body: await open(secret, reply.body) } };
    if (state === "running" || state === "other") return { state };
    return {
      finish: async (reply) => {
        const body = await seal(secret, reply.body);
        await putDown(() => object.finish(id, token, { ...reply, body }));
      },
      release: () => putDown(() => object.release(id, token)),
    };
  }
}

async function putDown(call: () => Promise<unknown>): Promise<void> {
  try {
    await reachLedger(call);
  } catch (error) {
    const detail = String((error as Error).cause ?? error);
    logEvent("a write's reply is not kept", detail);
  }
}

async function cipherKey(secret: string): Promise<CryptoKey> {
  const bytes = new TextEncoder().encode(`brink replay key\0${secret}`);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return crypto.subtle.importKey("raw", digest, "AES-GCM", false, ["encrypt", "decrypt"]);
}

async function seal(secret: string, body: Uint8Array): Promise<Uint8Array> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const key = await cipherKey(secret);
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, body);
  const all = new Uint8Array(IV_BYTES + sealed.byteLength);
  all.set(iv);
  all.set(new Uint8Array(sealed), IV_BYTES);
  return all;
}

async function open(secret: string, sealed: Uint8Array): Promise<Uint8Array> {
  const key = await cipherKey(secret);
  const algorithm = { name: "AES-GCM", iv: sealed.subarray(0, IV_BYTES) };
  return new Uint8Array(await crypto.subtle.decrypt(algorithm, key, sealed.subarray(IV_BYTES)));
}
