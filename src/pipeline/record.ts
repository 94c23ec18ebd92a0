/** What becomes of an answer once it is out: an outcome, perhaps a label, perhaps a note. */
import type { Engine, Usage } from "../engine/engine.ts";
import type { BackendPrices } from "../env.ts";
import { SHADOWS_UNDER_WAY_MAX } from "../limits.ts";
import { isWrongBy } from "../router/agreement.ts";
import type { RouterObject } from "../router/router-object.ts";
import { NOTE_ID, noteAgreed } from "./notes.ts";
import type { NoteDeps } from "./notes-find.ts";
import type { Answered } from "./observe.ts";
import { compareWithBackend } from "./shadow.ts";
import type { AnswerDeps } from "./work.ts";

export interface RecordDeps extends Pick<AnswerDeps, "models"> {
  router: (tenant: string) => Pick<DurableObjectStub<RouterObject>, "record" | "compared">;
  notes: NoteDeps;
  /** Null where none is configured. */
  backend: Engine | null;
  prices: BackendPrices | null;
  /** Uniform over [0, 1). */
  random: () => number;
}

/** Comparisons that this isolate has under way. */
let underWay = 0;

/** Writes down an answer and learns from it. What fails is logged: nobody waits for it. */
export async function recordAnswer(deps: RecordDeps, answered: Answered): Promise<void> {
  const { outcome, work } = answered;
  const done = await Promise.allSettled([
    noteAgreed(deps.notes, work.request.caller, outcome),
    learn(deps, answered),
  ]);
  for (const one of done)
    if (one.status === "rejected")
      console.error(`learning: ${one.reason instanceof Error ? one.reason.message : one.reason}`);
}

/** Draws the sample before it looks at the route or at the answer, and so is the decision to let a
 *  question go for want of room: labels are those of a uniform sample of all questions that the
 *  router decided, which the bound on risk asks for. */
async function learn(deps: RecordDeps, { outcome, work, usage }: Answered): Promise<void> {
  const { edge, request } = work;
  const routed = isRouted(outcome);
  const router = deps.router(request.caller.tenant);
  const drawn = routed && deps.backend !== null && deps.random() < edge!.router.shadow_rate;
  const dropped = drawn && underWay >= SHADOWS_UNDER_WAY_MAX;
  const sampled = drawn && !dropped;
  const { revision } = edge?.router ?? { revision: -1 };
  const cost_usd = outcome.route === "backend" ? costOf(usage, deps.prices) : null;
  const sample = sampled ? labelOf(outcome, deps.backend!) : null;
  await router.record({ outcome: { ...outcome, cost_usd }, revision, routed, sample });
  if (dropped) await router.compared({ dropped: 1 }, null);
  if (!sampled || outcome.edge_answer === null || outcome.engine === deps.backend!.id) return;
  underWay += 1;
  try {
    const { counts, wrong } = await compareWithBackend(deps, deps.backend!, work);
    const { trace_id, weights_version, threshold, difficulty } = outcome;
    const about = { trace_id, weights_version, threshold };
    const comparison = { outcome: about, difficulty: difficulty!, revision, wrong };
    await router.compared(counts, comparison);
  } finally {
    underWay -= 1;
  }
}

/** Whether the reader's difficulty, or its abstention, decided where the question went. */
function isRouted({ asked, difficulty, engine }: Answered["outcome"]): boolean {
  return asked === "auto" && difficulty !== null && engine !== NOTE_ID;
}

/** What is known of the reader's answer without asking again; null: nothing. */
function labelOf(
  { edge_answer, engine, text, whole }: Answered["outcome"],
  backend: Engine,
): { wrong: boolean | null } | null {
  if (edge_answer === null) return { wrong: null };
  if (engine !== backend.id || !whole) return null;
  const wrong = isWrongBy(edge_answer, text);
  return wrong === null ? null : { wrong };
}

function costOf(usage: Usage | null, prices: BackendPrices | null): number | null {
  if (usage === null || prices === null) return null;
  const { prompt_tokens, completion_tokens } = usage;
  const { input_per_mtok, output_per_mtok } = prices;
  return (prompt_tokens * input_per_mtok + completion_tokens * output_per_mtok) / 1e6;
}
