/** The generator Worker's requests: one decoder, one question at a time. */
import type { EnginePiece } from "../engine/engine.ts";
import type {
  GenerateCall,
  GenerateLine,
  GenerateParameters,
  GeneratorFailure,
  GeneratorStatus,
} from "../engine/generator-protocol.ts";
import { codeOf, ERROR_CODES } from "../errors.ts";
import { Turns } from "../generation/turns.ts";
import type { GenerationPiece, GenerationRequest } from "../generation/types.ts";
import { logEvent } from "../log-event.ts";
import { linearMemoryBytes } from "../model/linear-memory.ts";
import type { ModelStore } from "../store/model-store.ts";
import { buildIds } from "./prompt.ts";
import { Resident } from "./resident.ts";

// Of the isolate: requests share the model, take turns at it, and at loading it.
const resident = new Resident();
const turns = new Turns();

/** What this isolate holds. */
export function status(): GeneratorStatus {
  const { loaded, kernels } = resident;
  return {
    loaded:
      loaded === null || kernels === null
        ? null
        : {
            name: loaded.model.name,
            context: loaded.decoder.context_length,
            bytes: kernels.bytesUsed,
            kernels: { matmul: kernels.variant },
          },
    linear_memory_bytes: linearMemoryBytes(),
  };
}

/** The answer as lines, once its first one is at hand: what fails until then has a status of its
 *  own. The work outlives this call, so it is given to `keepAlive`; it ends when `signal` or the
 *  reader of the lines does. */
export async function generate(
  store: ModelStore,
  call: GenerateCall,
  signal: AbortSignal,
  keepAlive: (work: Promise<unknown>) => void,
): Promise<Response> {
  const gone = new AbortController();
  const leave = () => gone.abort(signal.reason);
  if (signal.aborted) leave();
  signal.addEventListener("abort", leave, { once: true });
  const encoder = new TextEncoder();
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({
    start(own) {
      controller = own;
    },
    cancel: () => gone.abort(),
  });
  const first = Promise.withResolvers<void>();
  const put = (line: GenerateLine) => {
    if (gone.signal.aborted) return;
    controller.enqueue(encoder.encode(`${JSON.stringify(line)}\n`));
    first.resolve();
  };
  const work = inTurn(store, call, gone.signal, put).then(
    () => {
      // A reader that has left has closed the stream, which throws when it is closed again.
      if (gone.signal.aborted) first.reject(gone.signal.reason);
      else controller.close();
    },
    (error) => {
      first.reject(error); // does nothing once the first line is out
      if (gone.signal.aborted) return;
      logBug(error);
      put({ error: failureOf(error) });
      controller.close();
    },
  );
  keepAlive(work);
  await first.promise;
  return new Response(body, { headers: { "content-type": "application/x-ndjson" } });
}

/** Takes its turn at the model, loads it if need be, and generates. */
async function inTurn(
  store: ModelStore,
  call: GenerateCall,
  signal: AbortSignal,
  put: (line: GenerateLine) => void,
): Promise<void> {
  const turn = await turns.take(signal);
  try {
    const { decoder, generator } = await resident.get(store, call.model, call.context, turn);
    const { ids, passages } = buildIds(decoder, call);
    const grammar = generator.grammar(call.parameters.response_format);
    const request = { ...requestOf(call, ids, signal), grammar, turn };
    let opening: Partial<EnginePiece> = { passages };
    for await (const piece of generator.generate(request)) {
      put({ ...opening, ...pieceOf(piece) });
      opening = {};
    }
  } finally {
    turn.end();
  }
}

function requestOf(call: GenerateCall, prompt: number[], signal: AbortSignal): GenerationRequest {
  const { parameters, scope } = call;
  const { n, stop, max_tokens, logprobs, top_logprobs } = parameters;
  return {
    prompt,
    scope,
    sampling: samplingOf(parameters),
    n,
    stop,
    signal,
    ...(max_tokens === null ? {} : { max_tokens }),
    ...(logprobs ? { top_logprobs } : {}),
  };
}

function samplingOf({ seed, logit_bias, ...rest }: GenerateParameters) {
  const { temperature, top_p, top_k, min_p } = rest;
  const { repetition_penalty, presence_penalty, frequency_penalty } = rest;
  const bias = new Map(Object.entries(logit_bias).map(([id, value]) => [Number(id), value]));
  return {
    ...{ temperature, top_p, top_k, min_p },
    ...{ repetition_penalty, presence_penalty, frequency_penalty },
    ...(bias.size === 0 ? {} : { logit_bias: bias }),
    ...(seed === null ? {} : { seed }),
  };
}

function pieceOf({ index, text, logprobs, finish_reason, usage }: GenerationPiece): EnginePiece {
  return {
    index,
    text,
    ...(logprobs === undefined ? {} : { logprobs }),
    ...(finish_reason === null ? {} : { finish_reason }),
    ...(usage === undefined ? {} : { usage }),
  };
}

/** A failure as it crosses the binding. */
export function failureOf(error: unknown): GeneratorFailure {
  const code = codeOf(error) ?? "internal";
  const { message, param } = error as { message?: unknown; param?: unknown };
  return {
    code,
    message: code === "internal" ? "the generator failed" : String(message),
    param: typeof param === "string" ? param : null,
  };
}

/** The answer to a call that failed before its first line; nobody hears it who aborted `signal`. */
export function failedResponse(error: unknown, signal: AbortSignal): Response {
  if (!signal.aborted) logBug(error);
  const failure = failureOf(error);
  return Response.json({ error: failure }, { status: ERROR_CODES[failure.code].status });
}

function logBug(error: unknown): void {
  if (codeOf(error) !== null) return;
  logEvent("generator failed", (error instanceof Error && error.stack) || String(error));
}
