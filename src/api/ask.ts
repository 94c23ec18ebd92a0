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
  /** Aborted when the client has gone; abort it to end the work. */
  gone: AbortController;
}

/** Begins the answer and sets the headers that say where it comes from. Throws as
 *  `Service.answer` does, and `invalid_request` for the routing headers. */
export async function ask(c: ApiContext, call: ChatCall): Promise<Asked> {
  const gone = goneSignal(c);
  const { include_usage: _, ...request } = call;
  c.var.traced.asked = call.model;
  c.var.traced.namespace = call.memory?.namespace ?? null;
  const answer = await c.var.service.answer({
    ...request,
    ...readRouting(c, call.model),
    signal: gone.signal,
    trace_id: c.var.trace,
  });
  c.header("x-brink-route", answer.route);
  c.header("x-brink-cache", answer.cache ?? "bypass");
  if (answer.difficulty !== null) c.header("x-brink-difficulty", answer.difficulty.toFixed(4));
  const pieces = answer.pieces[Symbol.asyncIterator]();
  return { answer, pieces, created: Math.floor(Date.now() / 1000), gone };
}

/** Aborted when the client has gone: by its request's signal or by cancelling the stream. */
function goneSignal(c: ApiContext): AbortController {
  const gone = new AbortController();
  const signal = c.req.raw.signal as AbortSignal | undefined;
  if (signal?.aborted) gone.abort(signal.reason);
  signal?.addEventListener("abort", () => gone.abort(signal.reason), { once: true });
  return gone;
}

/** The reply as server-sent events. The first piece is awaited before it begins: what fails until
 *  then has its own status. `events` gets the pieces from the first one on and yields whole events;
 *  what the pieces throw goes through it to `told`, whose events are the last. */
export async function streamReply(
  c: ApiContext,
  asked: Asked,
  events: (pieces: AsyncIterable<EnginePiece>) => AsyncIterable<string>,
  told: (error: unknown) => string[],
): Promise<Response> {
  const { pieces, gone } = asked;
  const first = await pieces.next();
  c.var.traced.stream = true;
  const ended = Promise.withResolvers<void>();
  c.var.keepAlive(ended.promise); // what was used is counted at its end, whoever is there by then
  async function* all(): AsyncGenerator<string> {
    try {
      yield* events(from(first, pieces));
    } catch (error) {
      if (!gone.signal.aborted) c.var.traced.fail(error); // nobody's fault but the leaver's
      yield* told(error);
    } finally {
      await pieces.return?.();
      c.var.traced.left = gone.signal.aborted;
      c.var.finish();
      ended.resolve();
    }
  }
  c.header("content-type", "text/event-stream; charset=utf-8");
  c.header("cache-control", "no-store, no-transform");
  c.header("x-accel-buffering", "no");
  return c.body(eventStream(all(), () => gone.abort()));
}

async function* from(
  first: IteratorResult<EnginePiece>,
  rest: AsyncIterator<EnginePiece>,
): AsyncGenerator<EnginePiece> {
  for (let next = first; !next.done; next = await rest.next()) yield next.value;
}

/** Every piece, for a whole reply. */
export async function* allPieces({ pieces }: Asked): AsyncGenerator<EnginePiece> {
  for (let next = await pieces.next(); !next.done; next = await pieces.next()) yield next.value;
}
