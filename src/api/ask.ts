/** What the endpoints that answer share: the call of the pipeline, and a streamed reply. */
import type { EnginePiece } from "../engine/engine.ts";
import type { AnswerStream } from "../pipeline/types.ts";
import type { ApiContext } from "./context.ts";
import { readRouting } from "./routing-headers.ts";
import type { ChatCall } from "./schema/chat.ts";
import { eventStream } from "./sse.ts";

/** An answer under way. */
export interface Asked {
  answer: AnswerStream;
  pieces: AsyncIterator<EnginePiece>;
  /** Unix time in seconds. */
  created: number;
  client: Client;
}

/** Whoever is to have the answer. */
interface Client {
  /** Aborted when it has gone, which ends the work. */
  signal: AbortSignal;
  /** It reads no further. */
  leave(): void;
  /** The answer is out. */
  forget(): void;
}

/** Begins the answer and sets the headers that say where it comes from. Throws as
 *  `Service.answer` does, and `invalid_request` for the routing headers. */
export async function ask(c: ApiContext, call: ChatCall): Promise<Asked> {
  const client = call.stream ? streamingClient(c) : wholeClient(c);
  const { include_usage: _, ...request } = call;
  c.get("traced").asked = call.model;
  c.get("traced").namespace = call.memory?.namespace ?? null;
  const answer = await c.get("service").answer({
    ...request,
    ...readRouting(c, call.model),
    signal: client.signal,
    trace_id: c.get("trace"),
  });
  c.header("x-brink-route", answer.route);
  c.header("x-brink-cache", answer.cache ?? "bypass");
  if (answer.difficulty !== null) c.header("x-brink-difficulty", answer.difficulty.toFixed(4));
  const pieces = answer.pieces[Symbol.asyncIterator]();
  return { answer, pieces, created: Math.floor(Date.now() / 1000), client };
}

function wholeClient(c: ApiContext): Client {
  return { signal: signalOf(c) ?? new AbortController().signal, leave() {}, forget() {} };
}

/** Who goes by its request's signal or by cancelling the stream. */
function streamingClient(c: ApiContext): Client {
  const gone = new AbortController();
  const signal = signalOf(c);
  const leave = () => gone.abort(signal?.reason);
  if (signal?.aborted) leave();
  signal?.addEventListener("abort", leave);
  // A listener that stays keeps all it knows of until the next collection of the whole heap.
  const forget = () => signal?.removeEventListener("abort", leave);
  return { signal: gone.signal, leave: () => gone.abort(), forget };
}

/** Not every runtime's requests have one. */
const signalOf = (c: ApiContext) => c.req.raw.signal as AbortSignal | undefined;

/** The reply as server-sent events. The first piece is awaited before it begins: what fails until
 *  then has its own status. `events` gets the pieces from the first one on and yields whole events;
 *  what the pieces throw goes through it to `told`, whose events are the last. */
export async function streamReply(
  c: ApiContext,
  asked: Asked,
  events: (pieces: AsyncIterable<EnginePiece>) => AsyncGenerator<string, string>,
  told: (error: unknown) => string,
): Promise<Response> {
  const { pieces, client } = asked;
  const first = await pieces.next();
  const traced = c.get("traced");
  const finish = c.get("finish");
  traced.stream = true;
  const ended = Promise.withResolvers<void>();
  c.get("keepAlive")(ended.promise); // what was used is counted at its end, whoever is there then
  c.header("content-type", "text/event-stream; charset=utf-8");
  c.header("cache-control", "no-store, no-transform");
  c.header("x-accel-buffering", "no");
  const body = eventStream(events(resumed(first, pieces)), {
    failed: (error) => {
      if (!client.signal.aborted) traced.fail(error); // nobody's fault but the leaver's
      return told(error);
    },
    left: client.leave,
    ended: async () => {
      await pieces.return?.();
      traced.left = client.signal.aborted;
      client.forget();
      finish();
      ended.resolve();
    },
  });
  return c.body(body);
}

/** The pieces from one on that was taken already. */
function resumed(
  first: IteratorResult<EnginePiece>,
  rest: AsyncIterator<EnginePiece>,
): AsyncIterable<EnginePiece> {
  let taken = false;
  const iterator: AsyncIterator<EnginePiece> = {
    next: () => {
      if (taken) return rest.next();
      taken = true;
      return Promise.resolve(first);
    },
    return: async (value) => (await rest.return?.(value)) ?? { done: true, value },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}

/** Every piece, for a whole reply. */
export function allPieces({ pieces }: Asked): AsyncIterable<EnginePiece> {
  return { [Symbol.asyncIterator]: () => pieces };
}
