/** The one interface of everything that can answer: the reader at the edge and the backends. */
import type { SearchHit } from "../memory/types.ts";

export interface ChatMessage {
  role: "system" | "user" | "assistant" | "tool" | "developer";
  /** Text, or OpenAI content parts, which only a backend takes. */
  content: string | { type: string; [key: string]: unknown }[] | null;
  [key: string]: unknown;
}

export interface EngineRequest {
  /** The last user message's text. */
  question: string;
  /** The conversation as the caller sent it. */
  messages: ChatMessage[];
  /** What retrieval found, best first. */
  hits: SearchHit[];
  /** OpenAI parameters to pass on (temperature, tools, ...); extraction ignores them. */
  parameters: Record<string, unknown>;
  /** Whether the caller reads token by token: a backend is then asked to stream. */
  stream: boolean;
  /** Ends the work when the caller has gone. */
  signal: AbortSignal;
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

/** A piece of an answer as it arrives. `text` is appended to what came before; `tool_calls` are
 *  OpenAI deltas handed through unchanged. The last piece has the finish reason. */
export interface EnginePiece {
  text: string;
  tool_calls?: unknown[];
  finish_reason?: string | null;
  usage?: Usage;
}

export interface Engine {
  /** Shown as `brink.engine` and in GET /v1/models, e.g. `brink-reader` or `backend:gpt-4o`. */
  readonly id: string;
  /** Yields at least one piece. Throws ServiceError (`backend_unavailable`, `backend_timeout`)
   *  before the first piece when the engine cannot answer, after it when it broke off. */
  answer(request: EngineRequest): AsyncIterable<EnginePiece>;
}
