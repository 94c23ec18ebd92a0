/** The outcomes that the service recorded, with what became known of them. */
import type { Client } from "./client.ts";
import { CommandError } from "./command.ts";
import { CLI_OUTCOME_PAGES_MAX, CLI_OUTCOMES_PAGE } from "./limits.ts";

/** Of GET /admin/router/outcomes, what the command line uses. */
export interface RecordedOutcome {
  trace_id: string;
  /** Unix ms. */
  at: number;
  question: string;
  route: "edge" | "backend";
  edge_answer: string | null;
  difficulty: number | null;
  features: Record<string, number> | null;
  weights_version: string;
  passages: { document_id: string }[];
  /** What feedback or a backend said of the edge's answer; null: nothing yet. */
  label: { wrong: boolean; source: string } | null;
}

interface Page {
  outcomes: RecordedOutcome[];
  cursor: string | null;
}

/** All that are still kept, newest first; with `labelled` only those that have a label. */
export async function readOutcomes(
  client: Client,
  { labelled = false }: { labelled?: boolean },
): Promise<RecordedOutcome[]> {
  const outcomes: RecordedOutcome[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < CLI_OUTCOME_PAGES_MAX; page++) {
    const query = new URLSearchParams({ limit: String(CLI_OUTCOMES_PAGE) });
    if (labelled) query.set("labelled", "true");
    if (cursor !== null) query.set("cursor", cursor);
    const reply = (await client.callAgain("GET", `/admin/router/outcomes?${query}`)) as Page;
    outcomes.push(...reply.outcomes);
    cursor = reply.cursor;
    if (cursor === null) return outcomes;
  }
  throw new CommandError(`the service has more than ${CLI_OUTCOME_PAGES_MAX} pages of outcomes`);
}
