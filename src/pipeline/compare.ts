/** A question of the sample, asked of other engines after the reply: what that says of those below
 *  the backend. */
import type { Engine, Usage } from "../engine/engine.ts";
import { SHADOW_MS_MAX } from "../limits.ts";
import { isWrongBy } from "../router/agreement.ts";
import type { Outcome } from "../router/outcome.ts";
import { NO_SHADOWS, type ShadowCounts } from "../router/router-types.ts";
import type { Observed } from "./observe.ts";
import { groundPrompt } from "./streams.ts";
import type { AnswerDeps } from "./work.ts";

export interface CompareDeps extends Pick<AnswerDeps, "models"> {
  backend: Engine;
  /** Those that stand between the reader and the backends that are asked first. */
  rungs: readonly Engine[];
  /** Uniform over [0, 1) among the questions that are compared: which of the rungs is asked. */
  draw: number;
}

/** Whether an engine's answer is wrong by the backend's; null where nothing can be said. */
export interface Verdict {
  /** As `brink.engine`; null for the reader. */
  engine: string | null;
  wrong: boolean | null;
}

export interface Compared {
  counts: Partial<ShadowCounts>;
  verdicts: Verdict[];
}

/** Whether the outcome's text is one of a backend that the others are compared with. */
export function isReference({ route, engine }: Outcome, rungs: readonly Pick<Engine, "id">[]) {
  return route === "backend" && !rungs.some(({ id }) => id === engine);
}

/** Asks the backend and one of the rungs, except for the one that gave the answer, for what each
 *  would have said: two calls at most. Which rung is drawn whoever answered, so that its labels are
 *  a uniform sample: judged rather by what it answers already, it would seem safe beyond it. An
 *  engine that fails is counted and throws nothing. */
export async function compareEngines(
  deps: CompareDeps,
  outcome: Outcome,
  work: Observed,
): Promise<Compared> {
  const { rungs, backend, draw } = deps;
  const told = outcome.whole ? outcome.text : null;
  const known = isReference(outcome, rungs);
  const chosen = rungs[Math.floor(draw * rungs.length)];
  const [reference, rung] = await Promise.all([
    known ? { ...NOT_ASKED, text: told } : ask(deps, backend, work),
    chosen === undefined || chosen.id === outcome.engine
      ? { ...NOT_ASKED, text: told }
      : ask(deps, chosen, work),
  ]);
  const verdicts: Verdict[] = [];
  const by = rungs.some(({ id }) => id === reference.engine) ? null : reference.text;
  if (!known && outcome.edge_answer !== null)
    verdicts.push({ engine: null, wrong: by === null ? null : isWrongBy(outcome.edge_answer, by) });
  if (chosen !== undefined && by !== null && rung.text !== null)
    verdicts.push({ engine: chosen.id, wrong: differ(rung.text, by) });
  return { counts: addUp(reference.counts, rung.counts), verdicts };
}

/** Whether two written answers say different things: neither bears out the other. One that says the
 *  same in other words counts as different, which makes an engine seem worse than it is. */
function differ(text: string, reference: string): boolean | null {
  const one = isWrongBy(text, reference);
  return one && isWrongBy(reference, text);
}

interface Asked {
  counts: ShadowCounts;
  /** Null where the engine failed, refused or did not end by itself. */
  text: string | null;
  /** Who answered, as `brink.engine`. */
  engine: string | null;
}

const NOT_ASKED = { counts: NO_SHADOWS, engine: null };

/** What the engine would have been asked, had the question gone there. */
async function ask(
  deps: CompareDeps,
  engine: Engine,
  { request, question, hits, corrections }: Observed,
): Promise<Asked> {
  const { messages, caller, parameters } = request;
  const grounded =
    engine.kind === "backend"
      ? await groundPrompt(deps, messages, hits, corrections)
      : { messages, passages: [...hits] };
  let text = "";
  let usage: Usage | null = null;
  let finish: string | null = null;
  let refused = false;
  let id = engine.id;
  let failed = 0;
  try {
    const pieces = engine.answer({
      ...{ scope: caller.tenant, question, messages: grounded.messages, hits: grounded.passages },
      ...{ parameters, stream: false, signal: AbortSignal.timeout(SHADOW_MS_MAX) },
    });
    for await (const piece of pieces) {
      text += piece.text;
      usage = piece.usage ?? usage;
      finish = piece.finish_reason ?? finish;
      refused ||= piece.refusal === true;
      id = piece.served?.id ?? id;
    }
  } catch {
    failed = 1;
  }
  const { prompt_tokens = 0, completion_tokens = 0 } = usage ?? {};
  const counts = { sent: 1, failed, dropped: 0, prompt_tokens, completion_tokens };
  const said = failed === 0 && finish === "stop" && !refused;
  return { counts, text: said ? text : null, engine: id };
}

function addUp(a: ShadowCounts, b: ShadowCounts): ShadowCounts {
  return {
    sent: a.sent + b.sent,
    failed: a.failed + b.failed,
    dropped: a.dropped + b.dropped,
    prompt_tokens: a.prompt_tokens + b.prompt_tokens,
    completion_tokens: a.completion_tokens + b.completion_tokens,
  };
}
