/** What the logits of a window's tokens say of every span that could be the answer. A span
 *  first..last of at most READER_ANSWER_TOKENS_MAX tokens scores the start logit of `first` + the
 *  end logit of `last`. */
import { READER_ANSWER_TOKENS_MAX, READER_SPANS_MAX } from "../limits.ts";

export interface TokenSpan {
  first: number;
  last: number;
  score: number;
}

export interface SpanReading {
  /** The greatest scores, best first, the first of equals in order of first, then last; at most
   *  READER_SPANS_MAX. */
  spans: TokenSpan[];
  /** The logarithm of the sum of exp(score) over all spans. */
  logSum: number;
  /** The entropies of the softmax over the starts and over the ends, in nats. */
  startEntropy: number;
  endEntropy: number;
}

/** Of logits f32 [n, 2] (start, end), n > 0. O(n READER_ANSWER_TOKENS_MAX). */
export function readSpans(logits: Float32Array): SpanReading {
  const n = logits.length / 2;
  const top = new TopSpans();
  const start = softmax(logits, 0);
  const end = softmax(logits, 1);
  let sum = 0;
  for (let first = 0; first < n; first++) {
    const stop = Math.min(n, first + READER_ANSWER_TOKENS_MAX);
    let ends = 0;
    for (let last = first; last < stop; last++) {
      ends += end.shares[last]!;
      top.offer(first, last, logits[2 * first]! + logits[2 * last + 1]!);
    }
    sum += start.shares[first]! * ends;
  }
  return {
    spans: top.spans,
    logSum: Math.log(sum) + start.logSum + end.logSum,
    startEntropy: start.entropy,
    endEntropy: end.entropy,
  };
}

class TopSpans {
  readonly spans: TokenSpan[] = [];

  offer(first: number, last: number, score: number): void {
    const { spans } = this;
    if (spans.length === READER_SPANS_MAX && score <= spans.at(-1)!.score) return;
    let at = spans.length;
    while (at > 0 && spans[at - 1]!.score < score) at--;
    spans.splice(at, 0, { first, last, score });
    if (spans.length > READER_SPANS_MAX) spans.pop();
  }
}

/** The softmax of one column: each token's share, the logarithm of the sum of exponentials, and the
 *  entropy in nats. */
function softmax(logits: Float32Array, column: 0 | 1) {
  const n = logits.length / 2;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < n; i++) max = Math.max(max, logits[2 * i + column]!);
  const shares = Float64Array.from({ length: n }, (_, i) =>
    Math.exp(logits[2 * i + column]! - max),
  );
  const sum = shares.reduce((total, share) => total + share, 0);
  let entropy = 0;
  for (const [i, share] of shares.entries()) {
    shares[i] = share / sum;
    if (share > 0) entropy -= shares[i]! * Math.log(shares[i]!);
  }
  return { shares, logSum: max + Math.log(sum), entropy };
}
