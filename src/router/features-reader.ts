/** Features of the reader's distribution over spans: how much of its belief the answer has. */
import type { SearchHit } from "../memory/types.ts";
import type { PassageReading, ReaderChoice } from "../model/reader.ts";
import { tokenF1, wordsOf } from "./token-f1.ts";

export const READER_FEATURES = [
  "span_share",
  "answer_share",
  "rival_share",
  "spread",
  "start_entropy",
  "end_entropy",
  "answerable",
  "passage_rank",
] as const;

type ReaderFeatures = Record<(typeof READER_FEATURES)[number], number>;

/** Below this token F1 a span gives another answer, as in training. */
const SAME_ANSWER_F1 = 0.5;
/** A share nearer to 0 or 1 says no more: its logit is kept within 9.2. */
const SHARE_MIN = 1e-4;

/** One softmax over all spans of all passages and "no answer" (Clark and Gardner 2018, arXiv
 *  1710.10723), of which the passages' READER_SPANS_MAX best are looked at. All finite. */
export function readerFeatures(
  hits: readonly SearchHit[],
  readings: readonly PassageReading[],
  choice: ReaderChoice,
): ReaderFeatures {
  const answer = wordsAt(hits, choice.passage, choice);
  // "No answer" scores 0, and the choice bounds what overflows.
  const logTotal = logSumExp([0, ...readings.map(({ logSum }) => logSum)]);
  let [same, rival, spread] = [0, 0, 0];
  for (const [passage, { spans }] of readings.entries())
    for (const span of spans) {
      const share = Math.exp(span.score - logTotal);
      const f1 = tokenF1(wordsAt(hits, passage, span), answer);
      same += share * f1;
      if (f1 < SAME_ANSWER_F1) rival += share;
      if (share > 0) spread -= share * Math.log(share);
    }
  const chosen = readings[choice.passage]!;
  return {
    span_share: logit(Math.exp(choice.score - logTotal)),
    answer_share: logit(same),
    rival_share: logit(rival),
    spread,
    start_entropy: chosen.startEntropy,
    end_entropy: chosen.endEntropy,
    answerable: chosen.answerable,
    passage_rank: choice.passage,
  };
}

function wordsAt(
  hits: readonly SearchHit[],
  passage: number,
  { start, end }: { start: number; end: number },
): string[] {
  return wordsOf(hits[passage]!.text.slice(start, end));
}

function logSumExp(values: readonly number[]): number {
  const max = Math.max(...values);
  return max + Math.log(values.reduce((sum, value) => sum + Math.exp(value - max), 0));
}

function logit(share: number): number {
  const kept = Math.min(1 - SHARE_MIN, Math.max(SHARE_MIN, share));
  return Math.log(kept / (1 - kept));
}
