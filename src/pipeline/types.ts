/** What the API asks of the pipeline and what it gets back. */
import type { Filter } from "../../index/filter.ts";
import type { ChatMessage, EnginePiece } from "../engine/engine.ts";
import type { SearchMode } from "../memory/types.ts";

/** Who is calling: a key's tenant, role and reach. */
export interface Caller {
  tenant: string;
  role: "inference" | "admin";
  /** Namespaces it may read; null for all of its tenant's. */
  namespaces: string[] | null;
  default_namespace: string | null;
}

export interface MemoryChoice {
  namespace: string;
  k: number;
  mode: SearchMode;
  filter: Filter | null;
}

export interface AnswerRequest {
  caller: Caller;
  messages: ChatMessage[];
  /** `auto`, `edge`, `backend`, or an id from GET /v1/models. */
  model: string;
  /** null: answer without memory. */
  memory: MemoryChoice | null;
  /** OpenAI parameters beyond model, messages, stream and memory. */
  parameters: Record<string, unknown>;
  stream: boolean;
  signal: AbortSignal;
}

export interface Citation {
  document_id: string;
  passage_id: string;
  title: string | null;
  /** An exact substring of the document's submitted text. */
  quote: string;
  score: number;
}

/** The `brink` field of a reply. */
export interface BrinkReport {
  route: "edge" | "backend";
  /** The route that was wanted but could not be taken. */
  wanted?: "backend";
  engine: string;
  answer: string | null;
  /** P(the edge answer is not good enough), 0..1; null where nothing was scored. */
  difficulty: number | null;
  reason: string;
  citations: Citation[];
  timings_ms: Record<string, number>;
}

/** An answer under way. `route` and `difficulty` are known before the first piece (they go into
 *  headers); `report()` is complete once `pieces` is exhausted. Nothing has been sent to the
 *  client before `answer()` resolves, so a backend that fails until then was already fallen back
 *  from. */
export interface AnswerStream {
  model: string;
  route: "edge" | "backend";
  difficulty: number | null;
  pieces: AsyncIterable<EnginePiece>;
  report(): BrinkReport;
}
