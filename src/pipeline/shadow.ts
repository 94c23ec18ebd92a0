/** A question that the edge answered, asked of the backend as well, after the reply. */
import type { Engine, Usage } from "../engine/engine.ts";
import { SHADOW_MS_MAX } from "../limits.ts";
import { isWrongBy } from "../router/agreement.ts";
import type { ShadowCounts } from "../router/router-types.ts";
import type { Observed } from "./observe.ts";
import { groundPrompt } from "./streams.ts";
import type { AnswerDeps } from "./work.ts";

export interface Compared {
  counts: Partial<ShadowCounts>;
  /** Whether the reader's answer is wrong by the backend's; null where nothing can be said. */
  wrong: boolean | null;
}

/** Asks the backend what it would have been asked, had the question gone there, and compares. A
 *  backend that fails is counted and throws nothing. */
export async function compareWithBackend(
  deps: Pick<AnswerDeps, "models">,
  backend: Engine,
  { request, question, hits, corrections, edge }: Observed,
): Promise<Compared> {
  const { messages, caller, parameters } = request;
  const prompt = await groundPrompt(deps, messages, hits, corrections);
  let text = "";
  let usage: Usage | null = null;
  let finish: string | null = null;
  let failed = 0;
  try {
    const pieces = backend.answer({
      ...{ scope: caller.tenant, question, messages: prompt.messages, hits: prompt.passages },
      ...{ parameters, stream: false, signal: AbortSignal.timeout(SHADOW_MS_MAX) },
    });
    for await (const piece of pieces) {
      text += piece.text;
      usage = piece.usage ?? usage;
      finish = piece.finish_reason ?? finish;
    }
  } catch {
    failed = 1;
  }
  const whole = failed === 0 && finish === "stop";
  return {
    counts: { sent: 1, failed, ...tokensOf(usage) },
    wrong: whole ? isWrongBy(edge!.reading.answer!, text) : null,
  };
}

function tokensOf(usage: Usage | null) {
  if (usage === null) return {};
  const { prompt_tokens, completion_tokens } = usage;
  return { prompt_tokens, completion_tokens };
}
