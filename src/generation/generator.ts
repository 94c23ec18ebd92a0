/** Answers from one model, one request at a time. */
import { ServiceError } from "../errors.ts";
import { GRAMMARS_KEPT_MAX } from "../limits.ts";
import type { TokenModel } from "../model/decoder.ts";
import type { Tokenizer } from "../model/tokenizer.ts";
import { Choice } from "./choice.ts";
import { type Grammar, GrammarRun, grammarOf } from "./grammar.ts";
import { PrefixCache } from "./prefix-cache.ts";
import { freshSeed } from "./prng.ts";
import { ROW_COSTS } from "./prompt-lookup.ts";
import { Sampler } from "./sampler.ts";
import { TokenOrder } from "./token-mask.ts";
import { type Turn, Turns } from "./turns.ts";
import type { GenerationPiece, GenerationRequest } from "./types.ts";

/** Owns the model's KV cache: nothing else may append to the model. */
export class Generator {
  readonly model: TokenModel;
  readonly tokenizer: Tokenizer;
  private readonly rowCosts: readonly number[];
  private readonly turns = new Turns();
  private readonly cache: PrefixCache;
  private readonly sampler: Sampler;
  private readonly grammars = new Map<string, Grammar | null>();
  private order: TokenOrder | null = null;

  /** `rowCosts` are the model's, as ROW_COSTS, by which drafts are judged to pay or not. */
  constructor(model: TokenModel, tokenizer: Tokenizer, rowCosts: readonly number[] = ROW_COSTS) {
    this.rowCosts = rowCosts;
    this.model = model;
    this.tokenizer = tokenizer;
    this.cache = new PrefixCache(model);
    this.sampler = new Sampler(model.vocab_size);
  }

  /** The compiled `response_format`, null for text; those used last are kept. Errors: as
   *  `grammarOf`. */
  grammar(response_format: unknown): Grammar | null {
    const key = JSON.stringify(response_format);
    const known = this.grammars.get(key);
    const grammar = known === undefined ? grammarOf(response_format) : known;
    this.grammars.delete(key);
    this.grammars.set(key, grammar);
    if (this.grammars.size > GRAMMARS_KEPT_MAX)
      this.grammars.delete(this.grammars.keys().next().value!);
    return grammar;
  }

  /** The answer in pieces; the last has usage and stats. Requests wait for their turn in the order
   *  in which their first piece was asked for. Who takes the pieces must take them all or end the
   *  iteration (`break`, `return()`), for the others wait; and events are let in at each token.
   *  Errors, before the first piece: context_length_exceeded, invalid_request, generator_busy.
   *  At any time: the signal's reason; generator_busy where the others waited too long. */
  async *generate(request: GenerationRequest): AsyncGenerator<GenerationPiece, void> {
    const limit = this.limitOf(request);
    const turn = request.turn ?? (await this.turns.take(request.signal));
    try {
      yield* this.answer(request, limit, turn);
    } catch (error) {
      // What the KV cache holds after a failure of the model is not known.
      if (!request.signal?.aborted && turn.isHeld()) this.cache.clear();
      throw error;
    } finally {
      if (request.turn === undefined) turn.end();
    }
  }

  /** Most tokens of a choice. The last one is never appended, so it needs no position. */
  private limitOf({ prompt, max_tokens, sampling, grammar, stop }: GenerationRequest): number {
    const { context_length, vocab_size } = this.model;
    if (prompt.length === 0)
      throw new ServiceError("invalid_request", "the prompt has no tokens", { param: "messages" });
    if (prompt.length > context_length)
      throw new ServiceError(
        "context_length_exceeded",
        `the prompt has ${prompt.length} tokens, the model's context ${context_length}`,
        { param: "messages" },
      );
    if (grammar && stop && stop.length > 0)
      throw new ServiceError(
        "unsupported_parameter",
        "an answer that is held to a response_format cannot be ended by stop strings",
        { param: "stop" },
      );
    for (const id of sampling?.logit_bias?.keys() ?? [])
      if (!(id >= 0 && id < vocab_size))
        throw new ServiceError(
          "invalid_request",
          `logit_bias names token ${id}; the model has tokens 0 to ${vocab_size - 1}`,
          { param: "logit_bias" },
        );
    return Math.min(max_tokens ?? Number.POSITIVE_INFINITY, context_length - prompt.length + 1);
  }

  private runOf({ grammar }: GenerationRequest): GrammarRun | null {
    if (!grammar) return null;
    this.order ??= new TokenOrder(this.tokenizer);
    return new GrammarRun(grammar, this.order, this.tokenizer);
  }

  private async *answer(
    request: GenerationRequest,
    limit: number,
    turn: Turn,
  ): AsyncGenerator<GenerationPiece, void> {
    const { prompt, n = 1 } = request;
    const seed = request.sampling?.seed ?? freshSeed();
    const { scope, signal } = request;
    const { logits, cached_tokens } = await this.cache.enter(prompt, scope, turn, signal);
    // Every choice starts from these, and each changes them.
    const first = n > 1 ? logits.slice() : logits;
    const { model, tokenizer, sampler, rowCosts } = this;
    const parts = { model, tokenizer, sampler, rowCosts, request, turn, seed, limit };
    const sum = { completion_tokens: 0, drafted: 0, accepted: 0, steps: 0 };
    for (let index = 0; index < n; index++) {
      turn.renew();
      model.truncate(prompt.length);
      const choice = new Choice({ ...parts, index, run: this.runOf(request) });
      try {
        for await (const piece of choice.pieces(n > 1 ? first.slice() : first)) {
          if (piece.finish_reason === null) {
            yield piece;
            continue;
          }
          sum.completion_tokens += choice.generated;
          sum.drafted += choice.lookup.drafted;
          sum.accepted += choice.lookup.accepted;
          sum.steps += choice.steps;
          yield index < n - 1 ? piece : { ...piece, ...totals(prompt.length, cached_tokens, sum) };
        }
      } finally {
        if (turn.isHeld()) this.cache.leave(choice.history);
      }
    }
  }
}

function totals(
  prompt_tokens: number,
  cached_tokens: number,
  sum: { completion_tokens: number; drafted: number; accepted: number; steps: number },
) {
  const { completion_tokens, ...stats } = sum;
  const total_tokens = prompt_tokens + completion_tokens;
  return { usage: { prompt_tokens, completion_tokens, total_tokens, cached_tokens }, stats };
}
