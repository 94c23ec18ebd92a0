/** Drafts the next tokens from the text so far: an answer from passages repeats their words.
 *  Source: Saxena, "Prompt Lookup Decoding", 2023. */
import { DRAFT_TOKENS_MAX } from "../limits.ts";

const NGRAM_MAX = 3;
const NGRAM_MIN = 2;
/** A draft costs a batch of rows instead of one, so after drafts that fail there is a pause, twice
 *  as long each time that none of one is accepted, and half as long each time that some is. */
const PAUSE_TOKENS_MAX = 64;

/** Proposes drafts for one choice; the history is prompt and answer. */
export class PromptLookup {
  drafted = 0;
  accepted = 0;
  private readonly history: number[];
  /** Where each n-gram was last followed by something, by n and its ids. */
  private readonly ends = new Map<string, number>();
  private indexed = 0;
  private size = DRAFT_TOKENS_MAX;
  private pause = 0;
  private nextPause = 1;

  /** `history` is read at each call and only ever grows. */
  constructor(history: number[]) {
    this.history = history;
  }

  /** At most `room` tokens that followed the last place of the longest n-gram that the history
   *  ends with, 3 to 2 tokens; often none. */
  propose(room: number): number[] {
    this.addNgrams();
    if (this.pause > 0) {
      this.pause--;
      return [];
    }
    const { history } = this;
    for (let n = NGRAM_MAX; n >= NGRAM_MIN; n--) {
      if (history.length < n) continue;
      const from = this.ends.get(keyOf(history, history.length, n));
      if (from === undefined) continue;
      const draft = history.slice(from, from + Math.min(this.size, room));
      this.drafted += draft.length;
      return draft;
    }
    return [];
  }

  /** Learns from how much of a draft the model chose too. */
  judge(accepted: number, drafted: number): void {
    if (drafted === 0) return;
    this.accepted += accepted;
    if (accepted === drafted) this.size = Math.min(DRAFT_TOKENS_MAX, this.size * 2);
    else this.size = Math.max(1, Math.min(DRAFT_TOKENS_MAX, accepted * 2));
    if (accepted > 0) this.nextPause = Math.max(1, this.nextPause / 2);
    else {
      this.pause = this.nextPause;
      this.nextPause = Math.min(PAUSE_TOKENS_MAX, this.nextPause * 2);
    }
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
