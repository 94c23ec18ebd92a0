/** A model behind Cloudflare's Workers AI binding.
 *
 *  The interface is that of the binding's documentation
 *  (https://developers.cloudflare.com/workers-ai/configuration/bindings/) and types: `run(model,
 *  {messages, stream})` gives an object, or with `stream` the bytes of an event stream. Older
 *  models answer `{response, tool_calls, usage}`, newer ones in OpenAI's shape; both are read. */

import { parametersOf } from "./backend.ts";
import { type BackendFailure, failureOf } from "./backend-failure.ts";
import {
  attempt,
  explain,
  type OpenReply,
  REPLY_LIMITS,
  type ReplyLimits,
  type Transport,
} from "./backend-reply.ts";
import type { Watch } from "./backend-watch.ts";
import { broken, type Fields, readCompletion, topLogprobsOf } from "./completion.ts";
import type { EnginePiece, EngineRequest } from "./engine.ts";

/** What Brink uses of the binding. */
export interface WorkersAi {
  run(
    model: string,
    inputs: Record<string, unknown>,
    options?: { signal?: AbortSignal },
  ): Promise<unknown>;
}

/** Asks the binding once. */
export class AiBackend implements Transport {
  readonly #ai: WorkersAi;
  readonly #model: string;
  readonly #limits: ReplyLimits;

  constructor(ai: WorkersAi, model: string, limits: Partial<ReplyLimits> = {}) {
    this.#ai = ai;
    this.#model = model;
    this.#limits = { ...REPLY_LIMITS, ...limits };
  }

  answer(request: EngineRequest, firstByteMs: number): AsyncGenerator<EnginePiece> {
    const limits = this.#limits;
    const open = (watch: Watch) => this.#open(request, watch);
    return attempt({ request, firstByteMs, limits, open, explain: readError });
  }

  async #open(request: EngineRequest, watch: Watch): Promise<OpenReply | EnginePiece> {
    const { signal } = watch;
    const reply = await watch.race(this.#ai.run(this.#model, inputsOf(request), { signal }));
    if (reply instanceof ReadableStream) return { body: reply, events: true, translate };
    if (typeof reply === "object" && reply !== null) {
      const { hidden, ...piece } = readCompletion(JSON.stringify(reply), {
        translate,
        ...topLogprobsOf(request.parameters),
      });
      request.hidden?.(hidden);
      return piece;
    }
    throw broken("Workers AI gave neither an object nor a stream");
  }
}

/** The binding knows `max_tokens` only. */
function inputsOf(request: EngineRequest): Record<string, unknown> {
  const { max_completion_tokens, ...parameters } = parametersOf(request);
  const most = max_completion_tokens === undefined ? {} : { max_tokens: max_completion_tokens };
  return { ...parameters, ...most, messages: request.messages, stream: request.stream };
}

/** OpenAI's shape of what a model of Workers AI's own shape says, whole or in part. */
function translate(body: Fields): Fields {
  if (body.choices !== undefined || body.error !== undefined) return body;
  const { response, usage } = body;
  const calls = Array.isArray(body.tool_calls) ? body.tool_calls.map(translateCall) : [];
  const content = typeof response === "string" ? response : textOf(response);
  const message = { content, ...(calls.length > 0 ? { tool_calls: calls } : {}) };
  const finish = calls.length > 0 ? { finish_reason: "tool_calls" } : {};
  const known = response !== undefined || calls.length > 0;
  return { choices: known ? [{ message, delta: message, ...finish }] : [], usage };
}

/** With a JSON schema asked for, the response is the object itself. */
function textOf(response: unknown): string {
  return response === undefined || response === null ? "" : JSON.stringify(response);
}

function translateCall(call: unknown, index: number): unknown {
  const { name, arguments: given, function: named } = (call ?? {}) as Fields;
  if (named !== undefined) return { index, ...(call as Fields) };
  const text = typeof given === "string" ? given : JSON.stringify(given ?? {});
  const id = `call_${index}_${crypto.randomUUID().slice(0, 8)}`;
  return { index, id, type: "function", function: { name, arguments: text } };
}

/** Statuses by Workers AI's own numbers, which are what its errors' messages begin with:
 *  https://developers.cloudflare.com/workers-ai/platform/errors/ */
const STATUS: Record<string, number | undefined> = {
  3003: 400,
  3006: 413,
  3007: 408,
  3008: 408,
  3023: 403,
  3036: 429,
  3039: 400,
  3040: 429,
  3041: 403,
  3042: 404,
  5004: 400,
  5005: 405,
  5007: 404,
  5016: 403,
  5018: 403,
  5019: 405,
};

/** The message is `NUMBER: WORDS`, in some versions behind the error's name. A number that is not
 *  known is a failure that may pass. */
function readError(error: unknown): BackendFailure {
  const message = error instanceof Error ? error.message : "";
  const [, number, words] = /(?:^|: )(\d{4}): ?(.*)$/s.exec(message) ?? [];
  if (number === undefined) return explain(error, null);
  const said = `${number}: ${words!.replace(/\s+/g, " ").slice(0, 300)}`;
  return failureOf(STATUS[number] ?? 500, said);
}
