/** A difficulty in plain words: what weighed most in it. */

/** What each feature of a difficulty measures; reads well behind "harder by" and "easier by". */
export const FEATURE_WORDS: Readonly<Record<string, string>> = {
  question_terms: "the question's length",
  asks_time: "asking for a time or not",
  asks_number: "asking for a number or not",
  bm25_top: "the words that the best passage shares",
  cosine_top: "the best passage's likeness",
  rankings_agree: "whether both rankings agree",
  score_margin: "the best passage's lead",
  coverage: "the share of the question's words that the passage has",
  span_share: "the reader's belief in these words",
  answer_share: "the reader's belief in this answer",
  rival_share: "the reader's belief in other answers",
  spread: "how many answers share the reader's belief",
  start_entropy: "doubt where the answer starts",
  end_entropy: "doubt where the answer ends",
  answerable: "whether the passage seems to have an answer",
  passage_rank: "the rank of the answer's passage",
  terms_near: "the question's words near the answer",
  better_sentence: "a sentence that has more of the question's words",
  sentence_length: "the length of the answer's sentence",
  position: "how late in the passage the answer stands",
  form_fits: "whether the answer's form fits what is asked",
  has_number: "whether the answer has a number",
  date_unasked: "a date that was not asked for",
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
