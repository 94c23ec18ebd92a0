/** One choice of an answer: chooses tokens, turns them into pieces, knows when it ends. */
import type { TokenModel } from "../model/decoder.ts";
import type { Tokenizer } from "../model/tokenizer.ts";
import type { GrammarRun } from "./grammar.ts";
import { reportOf } from "./logprobs.ts";
import { Penalties } from "./penalties.ts";
import { randomOf } from "./prng.ts";
import { PromptLookup } from "./prompt-lookup.ts";
import type { Sampler } from "./sampler.ts";
import { StopText } from "./stop.ts";
import { pause, type Turn } from "./turns.ts";
import type {
  ChosenLogprob,
  FinishReason,
  GenerationPiece,
  GenerationRequest,
  Sampling,
} from "./types.ts";

export interface ChoiceParts {
  readonly model: TokenModel;
  readonly tokenizer: Tokenizer;
  readonly sampler: Sampler;
  readonly request: GenerationRequest;
  readonly index: number;
  readonly seed: number;
  /** Most tokens: max_tokens, or what the context has room for. */
  readonly limit: number;
  /** As ROW_COSTS, which stands for it. */
  readonly rowCosts?: readonly number[];
  readonly turn: Turn;
  /** What the answer is held to. */
  readonly run: GrammarRun | null;
}

/** The model holds the prompt when `pieces` begins; it holds a prefix of `history`, and perhaps
 *  drafts behind that, when it ends, however it ends. */
export class Choice {
  /** The ids of prompt and answer so far. */
  readonly history: number[];
  /** Tokens that were chosen, and calls of the model. */
  generated = 0;
  steps = 0;
  readonly lookup: PromptLookup;
  private readonly parts: ChoiceParts;
  private readonly sampling: Sampling;
  private readonly penalties: Penalties;
  private readonly random: () => number;
  private readonly text: StopText;
  private readonly run: GrammarRun | null;
  private reports: { start: number; report: ChosenLogprob }[] = [];

  constructor(parts: ChoiceParts) {
    const { request, seed, index } = parts;
    this.parts = parts;
    this.sampling = request.sampling ?? {};
    this.history = Array.from(request.prompt);
    this.penalties = new Penalties(this.sampling, request.prompt);
    this.random = randomOf(seed, index);
    this.text = new StopText(request.stop ?? []);
    this.run = parts.run;
    this.lookup = new PromptLookup(this.history, parts.rowCosts);
  }

  /** The choice from `logits`, f32 [vocab_size], those of the prompt's last token, which it
   *  changes. Each draft is judged by choosing, as if it were not there, from the logits of the
   *  text before it: a draft that equals what was chosen saves a step. So the answer is the same
   *  with and without drafts at every temperature, wherever the model gives the same logits. */
  async *pieces(logits: Float32Array): AsyncGenerator<GenerationPiece, void> {
    const { model, request, turn } = this.parts;
    let rows = logits;
    let drafts: number[] = [];
    for (let row = 0; ; ) {
      const token = this.choose(
        rows.subarray(row * model.vocab_size, (row + 1) * model.vocab_size),
      );
      const hit = drafts[row] === token;
      if (!hit && row < drafts.length) model.truncate(this.history.length);
      const piece = this.take(token);
      if (hit) row++;
      if (drafts.length === 0) this.lookup.learn(token);
      if (piece.finish_reason !== null || !hit) this.lookup.judge(row, drafts.length);
      if (piece.finish_reason !== null || piece.text !== "") yield piece;
      if (piece.finish_reason !== null) return;
      turn.renew(); // whoever takes the pieces may have been away
      if (hit) continue;
      await pause(turn, request.signal);
      drafts = this.draft();
      rows = model.append([token, ...drafts], drafts.length + 1);
      this.steps++;
      row = 0;
    }
  }

  private draft(): number[] {
    const { model, request, limit } = this.parts;
    if (request.speculate === false) return [];
    const room = Math.min(limit - this.generated, model.context_length - model.length) - 1;
    return room > 0 ? this.lookup.propose(room) : [];
  }

  private choose(logits: Float32Array): number {
    const { tokenizer, request, sampler, limit } = this.parts;
    const { top_logprobs } = request;
    const report = top_logprobs === undefined ? null : reportOf(logits, tokenizer, top_logprobs);
    this.penalties.apply(logits);
    let token = sampler.choose(logits, this.sampling, this.random);
    // As llama.cpp does: most choices are allowed, and one token is checked sooner than all are.
    const left = limit - this.generated - 1;
    if (this.run && !this.run.allows(token, left)) {
      this.run.restrict(logits, left, token);
      token = sampler.choose(logits, this.sampling, this.random);
    }
    if (report && !tokenizer.eos.has(token))
      this.reports.push({ start: this.text.length, report: report(token) });
    return token;
  }

  /** Takes a token into the answer and gives the piece that can be shown, perhaps an empty one. */
  private take(token: number): GenerationPiece {
    const { tokenizer, limit } = this.parts;
    this.history.push(token);
    this.penalties.add(token);
    this.generated++;
    this.run?.accept(token);
    // An answer that the limit brought to its end is valid, and yet not what was to be said.
    const ended = this.run?.hurried ? "length" : "stop";
    if (tokenizer.eos.has(token)) return this.piece(this.text.flush(), ended);
    const text = this.text.push(tokenizer.bytesOf(token));
    if (this.run?.finished) return this.piece(text + this.text.flush(), ended);
    if (this.text.stopped) return this.piece(text, "stop");
    if (this.generated < limit) return this.piece(text, null);
    return this.piece(text + this.text.flush(), "length");
  }

  /** Reports go with the piece in which their token's text begins. */
  private piece(text: string, finish_reason: FinishReason | null): GenerationPiece {
    const { index, request } = this.parts;
    if (request.top_logprobs === undefined) return { index, text, finish_reason };
    const { shown } = this.text;
    const logprobs = this.reports.filter(({ start }) => start < shown).map((held) => held.report);
    this.reports = this.reports.filter(({ start }) => start >= shown);
    return { index, text, logprobs, finish_reason };
  }
}
