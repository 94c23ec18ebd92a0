/** What becomes of an answer once it is out: an outcome, perhaps a label, perhaps a note. */
import type { Engine, Usage } from "../engine/engine.ts";
import type { BackendPrices } from "../env.ts";
import { loggedOf } from "../errors.ts";
import { SHADOWS_UNDER_WAY_MAX } from "../limits.ts";
import { logEvent } from "../log-event.ts";
import { isWrongBy } from "../router/agreement.ts";
import type { Outcome } from "../router/outcome.ts";
import type { RouterObject } from "../router/router-object.ts";
import type { ActiveRouter, Recording } from "../router/router-types.ts";
import { compareEngines, isReference } from "./compare.ts";
import { readAtEdge } from "./edge-work.ts";
import { NOTE_ID, noteAgreed } from "./notes.ts";
import type { NoteDeps } from "./notes-find.ts";
import { type Answered, answerKept, type Observed } from "./observe.ts";
import { Trace } from "./trace.ts";
import type { AnswerDeps } from "./work.ts";

export interface RecordDeps extends Pick<AnswerDeps, "models"> {
  router: (tenant: string) => Pick<DurableObjectStub<RouterObject>, "compared">;
  /** Takes what an answer was; its router is told in time. */
  record: (tenant: string, recording: Recording) => void;
  /** What the tenant's answers are routed by. */
  active: (tenant: string) => Promise<ActiveRouter>;
  notes: NoteDeps;
  /** Null where none is configured. */
  backend: Engine | null;
  /** Those that stand between the reader and the backends that are asked first. */
  rungs: readonly Engine[];
  /** Of the backend that `brink.engine` names; null where they are not known. */
  pricesOf: (engine: string) => BackendPrices | null;
  /** Uniform over [0, 1): whether the question is one of the sample. One number a request, as the
   *  cache goes by it too, before there is an answer. */
  draw: number;
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
    if (one.status === "rejected") logEvent("answer not learned from", loggedOf(one.reason));
}

/** Draws the sample before it looks at the route or at the answer, and so is the decision to let a
 *  question go for want of room: labels are those of a uniform sample of all questions that the
 *  router decided, which the bound on risk asks for. */
async function learn(deps: RecordDeps, answered: Answered): Promise<void> {
  const { outcome: given, work, usage, report } = answered;
  const { tenant } = work.request.caller;
  const routed = isRouted(given, work);
  const active = work.edge?.router ?? (routed ? await deps.active(tenant) : null);
  const drawn = routed && deps.backend !== null && deps.draw < active!.shadow_rate;
  const dropped = drawn && underWay >= SHADOWS_UNDER_WAY_MAX;
  const sampled = drawn && !dropped;
  const revision = active?.revision ?? -1;
  const unread = routed && work.edge === null;
  const outcome = unread ? await readLate(deps, active!, { given, work, reads: sampled }) : given;
  const cost_usd =
    outcome.route === "backend" ? costOf(usage, deps.pricesOf(outcome.engine)) : null;
  const known = isReference(outcome, deps.rungs);
  const failed = report.wanted === "backend";
  const sample = sampled ? labelOf(outcome, known, failed) : null;
  deps.record(tenant, { outcome: { ...outcome, cost_usd }, revision, routed, sample });
  if (dropped) await deps.router(tenant).compared({ dropped: 1 }, []);
  const asks = deps.rungs.length > 0 || (outcome.edge_answer !== null && !known);
  if (!sampled || !asks) return;
  underWay += 1;
  try {
    const { models, rungs, backend } = deps;
    // That of a sampled question is uniform below the rate: scaled, it is so below 1.
    const draw = deps.draw / active!.shadow_rate;
    const asked = { models, rungs, backend: backend!, draw };
    const { counts, verdicts } = await compareEngines(asked, outcome, work);
    const { trace_id, weights_version, threshold, difficulty } = outcome;
    const about = { trace_id, weights_version, threshold };
    const common = { outcome: about, difficulty: difficulty!, revision };
    await deps.router(tenant).compared(
      counts,
      verdicts.map((verdict) => ({ ...common, ...verdict })),
    );
  } finally {
    underWay -= 1;
  }
}

/** Whether the reader's difficulty, its abstention, or what was promised before reading, decided
 *  where the question went. */
function isRouted({ asked, difficulty, engine }: Answered["outcome"], work: Observed): boolean {
  const judged = work.edge === null ? work.before !== null : difficulty !== null;
  return asked === "auto" && judged && engine !== NOTE_ID;
}

/** The outcome of a question that left unread. One of the sample is read after all: without the
 *  hard ones the labels would promise too much of a threshold above today's. */
async function readLate(
  deps: RecordDeps,
  active: ActiveRouter,
  { given, work, reads }: { given: Outcome; work: Observed; reads: boolean },
): Promise<Outcome> {
  const about = { threshold: active.threshold, weights_version: active.model.version };
  if (!reads) return { ...given, ...about };
  const { before, question, hits } = work;
  const models = await deps.models();
  const edge = await readAtEdge(models, active, before, new Trace(), question, hits, true);
  const { difficulty, features } = edge;
  return { ...given, ...about, edge_answer: answerKept(edge.reading), difficulty, features };
}

/** What is known of the reader's answer without asking again; null: nothing. `known` says whether
 *  the text is the backend's, `failed` whether it was to be. An abstention counts where an answer
 *  would have: else, while a backend is away, abstentions alone would come. */
function labelOf(
  { edge_answer, text, whole }: Outcome,
  known: boolean,
  failed: boolean,
): { wrong: boolean | null } | null {
  const lost = failed || (known && !whole);
  if (edge_answer === null) return lost ? null : { wrong: null };
  if (!known || !whole) return null;
  const wrong = isWrongBy(edge_answer, text);
  return wrong === null ? null : { wrong };
}

function costOf(usage: Usage | null, prices: BackendPrices | null): number | null {
  if (usage === null || prices === null) return null;
  const { prompt_tokens, completion_tokens } = usage;
  const { input_per_mtok, output_per_mtok } = prices;
  return (prompt_tokens * input_per_mtok + completion_tokens * output_per_mtok) / 1e6;
}
