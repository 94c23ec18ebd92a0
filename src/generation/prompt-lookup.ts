/** Drafts the next tokens from the text so far: an answer from passages repeats their words.
 *  Source: Saxena, "Prompt Lookup Decoding", 2023. */
const NGRAM_MAX = 3;
const NGRAM_MIN = 2;
/** How fast the estimate of the hit rate follows what happens. */
const RATE_STEP = 0.2;
/** The rate is known only roughly, and copies end, so a draft must promise this much more than it
 *  costs: at 1.0, 53 of 72 drafts were accepted and 128 tokens took 777 ms instead of 736. */
const GAIN_MIN = 1.05;

/** What a step of the model costs by its rows, from 1, in steps of one row: a decoder of
 *  SmolLM2-135M's shape, Q4_0, at 512 tokens (5.2 ms a row alone, AMD EPYC Zen 4). Decoding is
 *  bound by arithmetic, not by memory, so a draft pays only where nearly all is accepted. */
export const ROW_COSTS: readonly number[] = [1, 1.8, 2.6, 2.9, 5.0, 5.3, 5.4, 5.7];

/** Proposes drafts for one choice; the history is prompt and answer. */
export class PromptLookup {
  drafted = 0;
  accepted = 0;
  private readonly history: number[];
  private readonly costs: readonly number[];
  /** Where each n-gram was last followed by something, by n and its ids. */
  private readonly ends = new Map<string, number>();
  private indexed = 0;
  /** How often a looked up token is the one chosen: known without drafts too, by looking up. */
  private rate = 0.5;
  private expected: number | null = null;

  /** `history` is read at each call and only ever grows; `costs` are as ROW_COSTS. */
  constructor(history: number[], costs: readonly number[] = ROW_COSTS) {
    this.history = history;
    this.costs = costs;
  }

  /** At most `room` tokens that followed the last place of the longest n-gram that the history
   *  ends with, 3 to 2 tokens: as many as are expected to save most, often none. */
  propose(room: number): number[] {
    this.addNgrams();
    const { history } = this;
    for (let n = NGRAM_MAX; n >= NGRAM_MIN; n--) {
      if (history.length < n) continue;
      const from = this.ends.get(keyOf(history, history.length, n));
      if (from === undefined) continue;
      const draft = history.slice(from, from + Math.min(this.size(), room));
      if (draft.length === 0) this.expected = history[from]!;
      this.drafted += draft.length;
      return draft;
    }
    return [];
  }

  /** Learns from a token that was chosen without a draft. */
  learn(token: number): void {
    if (this.expected !== null) this.count(token === this.expected);
    this.expected = null;
  }

  /** Learns from how much of a draft the model chose too. */
  judge(accepted: number, drafted: number): void {
    this.accepted += accepted;
    for (let i = 0; i < accepted; i++) this.count(true);
    if (accepted < drafted) this.count(false);
  }

  private count(hit: boolean): void {
    this.rate += RATE_STEP * ((hit ? 1 : 0) - this.rate);
  }

  /** The draft's length that gives the most tokens for their cost, if each is a hit with the rate
   *  and the first miss ends it: (1 - rate^(d + 1)) / (1 - rate) tokens for costs[d]. */
  private size(): number {
    let best = 0;
    let most = GAIN_MIN;
    let tokens = 1;
    let power = 1;
    for (let d = 1; d < this.costs.length; d++) {
      power *= this.rate;
      tokens += power;
      if (tokens / this.costs[d]! <= most) continue;
      most = tokens / this.costs[d]!;
      best = d;
    }
    return best;
  }

  /** Adds the n-grams that something follows. */
  private addNgrams(): void {
    for (let end = this.indexed + 1; end < this.history.length; end++)
      for (let n = NGRAM_MIN; n <= Math.min(NGRAM_MAX, end); n++)
        this.ends.set(keyOf(this.history, end, n), end);
    this.indexed = Math.max(0, this.history.length - 1);
  }
}

/** The n ids before `end` as a key. */
function keyOf(history: readonly number[], end: number, n: number): string {
  let key = "";
  for (let i = end - n; i < end; i++) key += `${history[i]},`;
  return key;
}
