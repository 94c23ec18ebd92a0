/** What one routed answer leaves behind for learning; every text is bounded. */
export interface Outcome {
  trace_id: string;
  /** Unix ms. */
  at: number;
  namespace: string | null;
  conversation: string | null;
  question: string;
  route: "edge" | "backend";
  /** As `brink.engine`. */
  engine: string;
  /** The reader's bare answer, also where a backend answered; null where it abstained or was not
   *  asked. */
  edge_answer: string | null;
  /** What the caller got. */
  text: string;
  difficulty_before: number | null;
  difficulty: number | null;
  features: Record<string, number> | null;
  threshold: number;
  weights_version: string;
  /** What was read, each with its document's version and digest then. */
  passages: { document_id: string; passage_id: string; version?: number; digest?: string }[];
  /** Ids of the documents that the answer cites, the first NOTE_SOURCES_MAX; absent in outcomes of
   *  earlier releases. */
  cited?: string[];
  /** Document ids of the notes that stood in the prompt or gave the answer. */
  notes: string[];
  cost_usd: number | null;
  /** What the answer hangs on besides the question: whether it may become a note. */
  standing?: "alone" | "instructed" | "dependent";
  /** The model that the request named; the router decided where it is "auto". */
  asked?: string;
  /** The cached answer that it was, or became. */
  cache?: string;
  /** Whether the text is all that the engine had to say: it stopped by itself, nothing is cut,
   *  and it is no refusal. */
  whole?: boolean;
}
