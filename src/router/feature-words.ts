/** A difficulty in plain words: what weighed most in it. */

/** What each feature of a difficulty measures; reads well behind "harder by" and "easier by". */
export const FEATURE_WORDS: Readonly<Record<string, string>> = {
  question_terms: "the question's length",
  asks_who: "asking who or not",
  asks_when: "asking when or not",
  asks_where: "asking where or not",
  asks_which: "asking which or not",
  asks_how_many: "asking how many or not",
  asks_how: "asking how or not",
  asks_why: "asking why or not",
  bm25_top: "the words that the best passage shares",
  bm25_margin: "the best passage's lead in shared words",
  cosine_top: "the best passage's likeness",
  cosine_margin: "the best passage's lead in likeness",
  rankings_agree: "whether both rankings agree",
  coverage: "the share of the question's words that the passage has",
  span_score: "the reader's score of the answer",
  span_margin: "the answer's lead within its passage",
  passage_margin: "the answer's lead over other passages'",
  answerable: "whether the passage seems to have an answer",
  passage_rank: "the rank of the answer's passage",
  answer_terms: "the answer's length",
  answer_echoes: "the words that the answer repeats of the question",
  same_answer: "whether another passage says the same",
};

/** Features that a reason names. */
const NAMED_MAX = 3;
/** A smaller part of a logit moves a probability by about a hundredth. */
const NAMED_MIN = 0.05;

/** The features of greatest contribution, as `contributions()` gives them, in plain words: "harder
 *  by the answer's length +0.52; easier by ..."; a feature without words goes by its name. Empty
 *  where none weighs. */
export function describeContributions(parts: Readonly<Record<string, number>>): string {
  const most = Object.entries(parts)
    .filter(([name, part]) => name !== "bias" && Math.abs(part) >= NAMED_MIN)
    .sort(([, a], [, b]) => Math.abs(b) - Math.abs(a))
    .slice(0, NAMED_MAX);
  const list = (sign: number) =>
    most
      .filter(([, part]) => part * sign > 0)
      .map(([name, part]) => `${wordsOf(name)} ${sign > 0 ? "+" : ""}${part.toFixed(2)}`)
      .join(", ");
  const [harder, easier] = [list(1), list(-1)];
  return [harder && `harder by ${harder}`, easier && `easier by ${easier}`]
    .filter((part) => part !== "")
    .join("; ");
}

function wordsOf(name: string): string {
  return Object.hasOwn(FEATURE_WORDS, name) ? FEATURE_WORDS[name]! : name;
}
