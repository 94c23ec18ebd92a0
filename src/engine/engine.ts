/** The one interface of everything that writes an answer from a prompt: generators and backends. */
import type { SearchHit } from "../memory/types.ts";

export interface ChatMessage {
  role: "system" | "user" | "assistant" | "tool" | "developer";
  /** Text, or OpenAI content parts, which only a backend takes. */
  content: string | { type: string; [key: string]: unknown }[] | null;
  [key: string]: unknown;
}

export interface EngineRequest {
  /** The tenant: what an engine remembers of one scope's prompts is never used for another's. */
  scope: string;
  /** The last user message's text. */
  question: string;
  /** The conversation as the caller sent it. */
  messages: ChatMessage[];
  /** What retrieval found, best first. A backend's are in `messages` already; a generator, which
   *  alone can count its tokens, puts as many as fit into its prompt. */
  hits: SearchHit[];
  /** OpenAI parameters to pass on (temperature, tools, ...). */
  parameters: Record<string, unknown>;
  /** Whether the caller reads token by token: a backend is then asked to stream. */
  stream: boolean;
  /** After so many ms without a first token another backend is asked as well; not where absent. */
  hedgeMs?: number | null;
  /** The id of the backend that has read the conversation's beginning: it is asked first of its
   *  order. */
  prefer?: string;
  /** Told of each attempt at a backend; nobody is where absent. */
  watch?: AttemptWatch;
  /** Takes each attempt at a backend as it begins, also where none is answered. */
  attempts?: BackendAttempt[];
  /** Told of what a backend writes and Brink does not hand on, such as reasoning: bytes. */
  hidden?: (bytes: number) => void;
  /** For one attempt's header `traceparent` (W3C Trace Context); none is sent where absent. */
  traceparent?: string;
  /** Ends the work when the caller has gone. */
  signal: AbortSignal;
}

/** Why an attempt is made: as the first, since another backend failed, again at the same one, or
 *  beside one that is slow. */
export type AttemptKind = "first" | "fallback" | "retry" | "hedge";

export interface AttemptWatch {
  begin(
    backend: string,
    model: string,
    kind: AttemptKind,
  ): {
    traceparent: string;
    /** At the first token, or at the failure; `status` is HTTP's where it was not a success. */
    end(outcome: BackendAttempt["outcome"], status: number | null): void;
  };
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  /** Of the prompt's tokens, those that were still known from an earlier prompt. */
  cached_tokens?: number;
  /** Of the completion's tokens, those that were thought and are not in the text. */
  reasoning_tokens?: number;
}

/** One token as OpenAI describes it: its text, the natural logarithm of its probability, and its
 *  bytes, which alone are exact where a character is cut; null where a backend does not tell. */
export interface TokenLogprob {
  token: string;
  logprob: number;
  bytes: number[] | null;
  top_logprobs: { token: string; logprob: number; bytes: number[] | null }[];
}

/** A web page that a backend's model drew on for a part of its text: its characters from
 *  `start_index` to `end_index`, as the backend counts them. */
export interface UrlCitation {
  url: string;
  title: string;
  start_index: number;
  end_index: number;
}

/** A piece of an answer as it arrives. `text` is appended to what came before; `tool_calls` are
 *  OpenAI deltas, arguments as text. Each choice's last piece has its finish reason, and the
 *  answer's last piece the usage. */
export interface EnginePiece {
  /** Which of several choices it belongs to, from 0; 0 where absent. */
  index?: number;
  text: string;
  /** Set where `text` is the model's refusal to answer, which OpenAI's models tell apart. */
  refusal?: true;
  /** The tokens of `text`, where they were asked for. */
  logprobs?: TokenLogprob[];
  /** On the first piece: how many of the hits the prompt had room for. */
  passages?: number;
  annotations?: UrlCitation[];
  tool_calls?: unknown[];
  finish_reason?: string | null;
  usage?: Usage;
  /** On the first piece of a pool's answer: which of its backends gives it. */
  served?: Served;
}

export interface Served {
  /** As Engine's. */
  id: string;
  model: string;
  /** Every attempt of this answer, in the order in which they began. Grows no more once the first
   *  piece is out, but what a slower backend used is noted when it tells. */
  attempts: BackendAttempt[];
}

export interface BackendAttempt {
  /** The backend's name. */
  backend: string;
  outcome: "answered" | "failed" | "timed_out" | "rate_limited" | "refused" | "abandoned";
  /** Until the first token, or until it failed. */
  ms: number;
  /** What an attempt used that another was faster than, where it told. */
  usage?: Usage;
}

export interface Engine {
  readonly kind: "generator" | "backend";
  /** Shown as `brink.engine`, e.g. `generator:SmolLM2-135M` or `backend:gpt-4o`. */
  readonly id: string;
  /** The model's own name. */
  readonly model: string;
  /** Of several as one, those of which any may answer; itself where absent. */
  readonly members?: readonly Pick<Engine, "id">[];
  /** Yields at least one piece. Throws ServiceError (`backend_unavailable`, `generator_busy`, ...)
   *  before the first piece when the engine cannot answer, after it when it broke off. */
  answer(request: EngineRequest): AsyncIterable<EnginePiece>;
}
