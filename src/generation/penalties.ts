/** What is done to logits because of the caller's bias and of the text so far. */
import type { Sampling } from "./types.ts";

/** Counts the tokens of one choice and applies bias and penalties for them. */
export class Penalties {
  private readonly bias: ReadonlyMap<number, number>;
  private readonly repetition: number;
  private readonly presence: number;
  private readonly frequency: number;
  /** Every token of prompt and answer. */
  private readonly seen: Set<number>;
  /** How often each token is in the answer. */
  private readonly counts = new Map<number, number>();

  constructor(sampling: Sampling, prompt: readonly number[]) {
    this.bias = sampling.logit_bias ?? new Map();
    this.repetition = sampling.repetition_penalty ?? 1;
    this.presence = sampling.presence_penalty ?? 0;
    this.frequency = sampling.frequency_penalty ?? 0;
    this.seen = new Set(this.repetition === 1 ? [] : prompt);
  }

  /** Counts a token of the answer. */
  add(id: number): void {
    if (this.repetition !== 1) this.seen.add(id);
    this.counts.set(id, (this.counts.get(id) ?? 0) + 1);
  }

  /** Changes logits f32 [vocab_size] in place. The repetition penalty is over prompt and answer
   *  (Keskar et al. 2019, as Hugging Face has it: l > 0 ? l / r : l r); presence and frequency are
   *  over the answer (OpenAI: l - count frequency - [count > 0] presence, of which vLLM reads
   *  "the text so far" so); the bias is added last, so that -100 and 100 stay decisive. */
  apply(logits: Float32Array): void {
    if (this.repetition !== 1)
      for (const id of this.seen) {
        const logit = logits[id]!;
        logits[id] = logit > 0 ? logit / this.repetition : logit * this.repetition;
      }
    if (this.presence !== 0 || this.frequency !== 0)
      for (const [id, count] of this.counts)
        logits[id] = logits[id]! - count * this.frequency - this.presence;
    for (const [id, bias] of this.bias) logits[id] = logits[id]! + bias;
  }
}
