/** What the stages of one answer share. */
import type { Engine } from "../engine/engine.ts";
import type { SearchHit } from "../memory/types.ts";
import type { Conversations, Turn } from "../router/conversation.ts";
import type { ActiveRouter } from "../router/router-types.ts";
import type { AnswerCache } from "./cache.ts";
import type { Conversing, PricesOf } from "./conversing.ts";
import type { BeforeWork, EdgeWork } from "./edge-work.ts";
import type { Models } from "./models.ts";
import type { AnswerNotes } from "./notes-answer.ts";
import type { Note } from "./notes-types.ts";
import type { Answered } from "./observe.ts";
import type { Trace } from "./trace.ts";
import type { AnswerRequest, MemoryQuery } from "./types.ts";

/** What an answer draws on. */
export interface AnswerDeps {
  models: () => Promise<Models>;
  search: (query: MemoryQuery) => Promise<SearchHit[]>;
  /** All that are configured, as one; null where none is. */
  backend: Engine | null;
  /** The backend of that id, or those of that model; null where there is none. */
  findBackend: (id: string) => Engine | null;
  /** For requests that name none of the generator's models; null where none is configured. */
  generator: Engine | null;
  /** The generator's model of that name, or null. */
  findGenerator: (model: string) => Promise<Engine | null>;
  /** What the tenant's answers are routed by. */
  router: () => Promise<ActiveRouter>;
  notes: AnswerNotes;
  conversations: Conversations;
  pricesOf: PricesOf;
  /** The request's; one is made where it is absent. */
  trace?: Trace;
  /** Looks for the request's answer among those that were given. */
  openCache: () => Promise<AnswerCache>;
  /** Told of each answer once its last piece is out or its reader left; must not throw. */
  observe: (answered: Answered) => void;
}

/** One answer's stages share this. */
export interface Work {
  deps: AnswerDeps;
  request: AnswerRequest;
  question: string;
  hits: SearchHit[];
  conversation: Conversing;
  turn: Turn;
  /** Null where nothing was judged before reading. */
  before: BeforeWork | null;
  /** Null where the reader was not asked. */
  edge: EdgeWork | null;
  /** What a backend's prompt says of like questions. */
  corrections: Note[];
  /** Whether notes could not be asked: they may answer the next time. */
  notesAway: boolean;
  trace: Trace;
  cache: AnswerCache;
}
