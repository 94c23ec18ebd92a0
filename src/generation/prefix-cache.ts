/** The KV cache of the last generation, reused for the next one as far as their ids agree. */
import { PREFILL_TOKENS } from "../limits.ts";
import type { TokenModel } from "../model/decoder.ts";
import { pause, type Turn } from "./turns.ts";

/** Knows which ids the model's KV cache holds and for whom. Reuse gives the same logits as no
 *  reuse, but sooner, and that would tell one tenant what another asked: hence the scope. Prompts
 *  gain by putting what stays the same (instructions, memory passages) before what does not. */
export class PrefixCache {
  private readonly model: TokenModel;
  private ids: number[] = [];
  private scope: string | null = null;

  constructor(model: TokenModel) {
    this.model = model;
  }

  /** Brings the model to `prompt`, at most context_length ids and at least one. Gives the logits
   *  f32 [vocab_size] after its last token, valid until the model's next call, and how many tokens
   *  were there already: never the last one, whose logits are needed. Stops at an abort between
   *  parts of PREFILL_TOKENS, and keeps those that were done. */
  async enter(
    prompt: readonly number[],
    scope: string,
    turn: Turn,
    signal?: AbortSignal,
  ): Promise<{ logits: Float32Array; cached_tokens: number }> {
    const cached_tokens = scope === this.scope ? this.commonPrefix(prompt) : 0;
    this.model.truncate(cached_tokens);
    this.ids.length = cached_tokens;
    this.scope = scope;
    for (let from = cached_tokens; ; from += PREFILL_TOKENS) {
      const part = prompt.slice(from, from + PREFILL_TOKENS);
      const logits = this.model.append(part);
      for (const id of part) this.ids.push(id);
      if (from + part.length === prompt.length) return { logits, cached_tokens };
      await pause(turn, signal);
    }
  }

  /** Notes that the model was left with these ids: it may hold only the first ones, or drafts
   *  behind them, which are dropped. */
  leave(ids: readonly number[]): void {
    if (this.model.length > ids.length) this.model.truncate(ids.length);
    this.ids = ids.slice(0, this.model.length);
  }

  /** Forgets everything, as after a failure. */
  clear(): void {
    this.scope = null;
    this.ids = [];
    this.model.truncate(0);
  }

  private commonPrefix(prompt: readonly number[]): number {
    const most = Math.min(this.ids.length, prompt.length - 1);
    let length = 0;
    while (length < most && this.ids[length] === prompt[length]) length++;
    return length;
  }
}
