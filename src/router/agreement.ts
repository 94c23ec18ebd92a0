/** Whether a backend's text bears out the reader's bare answer: an approximate rule that needs no
 *  judge. It errs both ways: a backend that is wrong the same way hides an error, and one that says
 *  the same in other words invents one. */

/** Below this token F1 two answers differ, as in training (wrong = token F1 under 0.5). */
const F1_MIN = 0.5;

const WORD = /[\p{L}\p{M}\p{N}]+/gu;
const ARTICLES = new Set(["a", "an", "the"]);
const MARKS = /\[\d{1,3}(?:\s*,\s*\d{1,3}){0,15}\]/g;

/** Whether the reader's answer is wrong by the backend's text: it stands nowhere in it as a run of
 *  whole words, and has a token F1 under 0.5 with it. Letters' case, punctuation, articles and [n]
 *  marks do not count. Null where either has no words, so that nothing can be said. */
export function isWrongBy(edgeAnswer: string, backendText: string): boolean | null {
  const answer = wordsOf(edgeAnswer);
  const text = wordsOf(backendText.replace(MARKS, " "));
  if (answer.length === 0 || text.length === 0) return null;
  return !containsRun(text, answer) && tokenF1(answer, text) < F1_MIN;
}

function wordsOf(text: string): string[] {
  const words = text.normalize("NFKC").toLowerCase().match(WORD) ?? [];
  const telling = words.filter((word) => !ARTICLES.has(word));
  return telling.length > 0 ? telling : words;
}

function containsRun(text: readonly string[], run: readonly string[]): boolean {
  const last = text.length - run.length;
  for (let at = 0; at <= last; at++) if (run.every((word, i) => text[at + i] === word)) return true;
  return false;
}

/** SQuAD's F1 over bags of words, 0..1 (Rajpurkar et al. 2016, arXiv 1606.05250). */
function tokenF1(a: readonly string[], b: readonly string[]): number {
  const left = new Map<string, number>();
  for (const word of a) left.set(word, (left.get(word) ?? 0) + 1);
  let common = 0;
  for (const word of b) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    common += 1;
  }
  return (2 * common) / (a.length + b.length);
}
