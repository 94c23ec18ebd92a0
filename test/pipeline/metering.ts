/** A meter whose quota has room for anything, and engines to meter. */
import type { Engine, EnginePiece, EngineRequest } from "../../src/engine/engine.ts";
import type { Reservation } from "../../src/ledger/quota-types.ts";
import type { KeyRecord } from "../../src/ledger/types.ts";
import { Meter, type QuotaPort } from "../../src/pipeline/meter.ts";
import { KEY } from "../api/fake-keys.ts";

/** A quota with room for anything, which notes what it is asked. */
export function openQuota() {
  const calls: [string, ...unknown[]][] = [];
  const state = { spent_nanos: 0, held_nanos: 0, lapsed_nanos: 0, since: null, resets_at: null };
  const quota: QuotaPort = {
    async admit(...args) {
      calls.push(["admit", ...args]);
      const tokens = { limit: 1_000, remaining: 900, reset_ms: 1 };
      return { refused: null, retry_after_ms: 0, requests: null, tokens, second: 7 };
    },
    async correctTokens(...args) {
      calls.push(["correctTokens", ...args]);
    },
    async reserve(_, ...args): Promise<Reservation> {
      calls.push(["reserve", ...args]);
      return { held: true, ...state };
    },
    async settle(_, nanos) {
      calls.push(["settle", nanos]);
      return true;
    },
  };
  return { calls, quota, state };
}

export function meterOf(
  quota: QuotaPort,
  limits: Partial<KeyRecord> = {},
  unreachable: "deny" | "allow" = "deny",
) {
  const kept: Promise<unknown>[] = [];
  const key = { ...KEY, budget_usd: null, ...limits };
  const meter = new Meter(
    {
      prices: {
        backends: [{ name: "big", prices: { input_per_mtok: 1, output_per_mtok: 2 } }],
        edgePrices: { input_per_mtok: 0, output_per_mtok: 0 },
      },
      unreachable,
      quota: () => quota,
      recorder: () => ({ record: async () => {} }),
      keepAlive: (work) => kept.push(work),
    },
    { tenant: "t", scopes: ["inference"], namespaces: null, default_namespace: null, key },
  );
  return { meter, kept };
}

export const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };

export function engineOf(answer: (request: EngineRequest) => AsyncIterable<EnginePiece>): Engine {
  return { kind: "backend", id: "backend:big", model: "big", answer };
}

export const speaks = engineOf(async function* () {
  yield { text: "four " };
  yield { text: "more", usage: USAGE };
});

export function asking(signal = new AbortController().signal): EngineRequest {
  const messages = [{ role: "user" as const, content: "question" }];
  const parameters = { max_tokens: 10 };
  const rest = { scope: "t", question: "question", hits: [], stream: true };
  return { ...rest, messages, parameters, signal };
}

/** A fourth of the bytes of {"max_tokens":10,"messages":[{"role":"user","content":"question"}]}. */
export const PROMPT_TOKENS = 17;

export async function drain(pieces: AsyncIterable<EnginePiece>): Promise<string> {
  let text = "";
  for await (const piece of pieces) text += piece.text;
  return text;
}
