/** Whether a backend's text bears out the reader's bare answer: an approximate rule that needs no
 *  judge. It errs both ways: a backend that is wrong the same way hides an error, and one that says
 *  the same in other words invents one. */

import { tokenF1, wordsOf } from "./token-f1.ts";

/** Below this token F1 two answers differ, as in training (wrong = token F1 under 0.5). */
const F1_MIN = 0.5;

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

function containsRun(text: readonly string[], run: readonly string[]): boolean {
  const last = text.length - run.length;
  for (let at = 0; at <= last; at++) if (run.every((word, i) => text[at + i] === word)) return true;
  return false;
}
