/** Backends of a pool for tests: real HTTP, with a state of their own and no chance in pauses. */
import { HttpBackend } from "../../src/engine/backend.ts";
import { Member } from "../../src/engine/backend-member.ts";
import { BackendPool, type PoolOptions } from "../../src/engine/backend-pool.ts";
import type { ReplyLimits, Transport } from "../../src/engine/backend-reply.ts";
import { BackendState } from "../../src/engine/backend-state.ts";
import type { EnginePiece, EngineRequest } from "../../src/engine/engine.ts";
import type { BackendConfig } from "../../src/env.ts";

export const KEY = "sk-very-secret";

export function configOf(name: string, rest: Partial<BackendConfig> = {}): BackendConfig {
  return {
    name,
    model: `${name}-model`,
    url: null,
    key: KEY,
    order: 0,
    weight: 1,
    concurrency: 100,
    deadlineMs: 20_000,
    prices: null,
    ...rest,
  };
}

/** A member that asks the server at `url`. */
export function memberAt(
  url: string,
  name: string,
  rest: Partial<BackendConfig> = {},
  limits: Partial<ReplyLimits> = {},
  state = new BackendState(Date.now, () => 0.5),
): Member {
  const config = configOf(name, { url, ...rest });
  return new Member(config, new HttpBackend({ ...config, url }, limits), state);
}

export function memberOf(name: string, transport: Transport): Member {
  return new Member(configOf(name), transport, new BackendState(Date.now, () => 0.5));
}

export function poolOf(members: Member[], options: PoolOptions = {}): BackendPool {
  return new BackendPool(members, { random: () => 0, ...options });
}

export function ask(stream: boolean, rest: Partial<EngineRequest> = {}): EngineRequest {
  return {
    scope: "default",
    question: "why?",
    messages: [{ role: "user", content: "why?" }],
    hits: [],
    parameters: {},
    stream,
    signal: new AbortController().signal,
    ...rest,
  };
}

/** The pieces without what the pool says of itself, and that. */
export async function collect(pieces: AsyncIterable<EnginePiece>) {
  const all: EnginePiece[] = [];
  let served: EnginePiece["served"];
  for await (const { served: by, ...piece } of pieces) {
    served = by ?? served;
    all.push(piece);
  }
  return { all, text: all.map(({ text }) => text).join(""), last: all.at(-1)!, served };
}
