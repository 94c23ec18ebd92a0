/** How much two short answers say the same. */
import { normalForm } from "../model/normal-form.ts";

const WORD = /[\p{L}\p{M}\p{N}]+/gu;
const ARTICLES = new Set(["a", "an", "the"]);

/** The words of an answer: lower case after NFKC, without punctuation, and without articles unless
 *  there is nothing else. */
export function wordsOf(text: string): string[] {
  const words = normalForm(text, "NFKC").toLowerCase().match(WORD) ?? [];
  const telling = words.filter((word) => !ARTICLES.has(word));
  return telling.length > 0 ? telling : words;
}

/** SQuAD's F1 over bags of words, 0..1 (Rajpurkar et al. 2016, arXiv 1606.05250); 0 where either
 *  has none. */
export function tokenF1(a: readonly string[], b: readonly string[]): number {
  const left = new Map<string, number>();
  for (const word of a) left.set(word, (left.get(word) ?? 0) + 1);
  let common = 0;
  for (const word of b) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    common += 1;
  }
  return common === 0 ? 0 : (2 * common) / (a.length + b.length);
}
