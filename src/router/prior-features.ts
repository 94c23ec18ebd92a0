/** What the prior looks at in a prompt: how it is written, not what it is about, for the prompts to
 *  come are about something else than those it was trained on. Training and serving call the same
 *  function. */
import { PRIOR_CHARS_MAX } from "../limits.ts";

/** In the order of the weights file. Those of the second list are about lettered choices, or how a
 *  question is put only where choices follow: as the beginning of a sentence that they end, say. */
const STEM_FEATURES = [
  "words",
  "stem_words",
  "sentences",
  "words_a_sentence",
  "word_length",
  "long_words",
  "short_words",
  "new_words",
  "capitals",
  "numbers",
  "number_share",
  "largest_number",
  "decimals",
  "number_words",
  "symbols",
  "commas",
  "negation",
  "statements",
  "blank",
  "asks_why",
  "asks_how_many",
  "asks_who_when_where",
  "asks_to_compute",
  "best",
  "condition",
  "rate",
  "fraction",
  "comparison",
  "remaining",
  "percent",
  "money",
  "time_units",
  "science_units",
  "year",
  "latex",
  "equation",
  "operator",
  "logic",
  "code",
  "quote",
  "passage",
  "person",
  "patient",
  "define",
  "cause",
  "example",
  "quantifier",
  "variables",
  "parentheses",
] as const;
const CHOICE_FEATURES = [
  "which_following",
  "except",
  "ends_in_question",
  "choice_words",
  "choice_numeric",
  "choice_alike",
  "choice_spread",
  "choice_echo",
  "choice_symbols",
  "choice_names",
  "choice_one_word",
  "all_or_none",
  "roman_choices",
] as const;
export const PRIOR_FEATURES = [...STEM_FEATURES, ...CHOICE_FEATURES] as const;

export type PriorFeatureName = (typeof PRIOR_FEATURES)[number];
/** NaN where the prompt has no lettered choices: a feature of them then says nothing. */
export type PriorFeatures = Record<PriorFeatureName, number>;

export interface PromptParts {
  /** The prompt without its choices and without a closing "Answer:". */
  stem: string;
  /** The texts of two or more choices lettered A, B, C, ... on lines of their own, or none. */
  choices: string[];
}

/** A choice's first line: "A. text", "A) text" or "(A) text". */
const CHOICE_LINE = /^\(?([A-J])[.)][ \t](.*)$/;

/** Splits a prompt, of which the first PRIOR_CHARS_MAX characters are read. */
export function splitPrompt(prompt: string): PromptParts {
  const lines = prompt.slice(0, PRIOR_CHARS_MAX).trim().split("\n");
  if (/^answer:?$/i.test(lines.at(-1)!.trim())) lines.pop();
  const stem: string[] = [];
  const choices: string[] = [];
  for (const line of lines) {
    const match = CHOICE_LINE.exec(line);
    if (match?.[1] === String.fromCharCode(65 + choices.length)) choices.push(match[2]!);
    else if (choices.length > 0) choices[choices.length - 1] += `\n${line}`;
    else stem.push(line);
  }
  if (choices.length < 2) return { stem: lines.join("\n").trim(), choices: [] };
  return { stem: stem.join("\n").trim(), choices: choices.map((choice) => choice.trim()) };
}

/** The question and its choices, without letters and without a closing "Answer:". */
export function textOf({ stem, choices }: PromptParts): string {
  return [stem, ...choices].join("\n");
}

/** The features of a prompt: finite or NaN. Linear in its length, which is bounded. */
export function priorFeatures(parts: PromptParts): PriorFeatures {
  return { ...stemFeatures(parts), ...choiceFeatures(parts) };
}

function stemFeatures(parts: PromptParts) {
  const { stem } = parts;
  const whole = textOf(parts);
  const words = wordsOf(stem);
  const n = Math.max(1, words.length);
  const sentences = Math.max(1, count(stem, /[.?!](?=\s|$)/g));
  const numbers = stem.match(/\d+(?:,\d{3})*(?:\.\d+)?/g) ?? [];
  const values = numbers.map((text) => Number(text.replaceAll(",", "")));
  const lower = whole.toLowerCase();
  const has = (pattern: RegExp) => (pattern.test(lower) ? 1 : 0);
  const tally = (pattern: RegExp) => Math.log1p(count(lower, pattern));
  return {
    words: Math.log1p(wordsOf(whole).length),
    stem_words: Math.log1p(words.length),
    sentences: Math.log(sentences),
    words_a_sentence: Math.log1p(words.length / sentences),
    word_length: words.reduce((sum, word) => sum + word.length, 0) / n,
    long_words: words.filter((word) => word.length > 8).length / n,
    short_words: words.filter((word) => word.length < 4).length / n,
    new_words: new Set(words.map((word) => word.toLowerCase())).size / n,
    capitals: count(stem, /(?<=[a-z,;] )[A-Z][a-z]/g) / n,
    numbers: Math.log1p(numbers.length),
    number_share: numbers.length / n,
    largest_number: Math.log1p(
      Math.min(
        1e9,
        values.reduce((a, b) => Math.max(a, b), 0),
      ),
    ),
    decimals: Math.log1p(count(stem, /\d\.\d/g)),
    number_words: tally(NUMBER_WORDS),
    symbols: count(whole, /[^\w\s.,;:?!'"()-]/g) / Math.max(1, whole.length),
    commas: Math.log1p(count(stem, /[,;]/g)),
    ...wording(stem, has, tally),
    ...notation(whole, has, tally),
  };
}

const NUMBER_WORDS =
  /\b(?:one|two|three|four|five|six|seven|eight|nine|ten|dozen|hundred|thousand|million)\b/g;

type Look = (pattern: RegExp) => number;

/** How the question is put. */
function wording(stem: string, has: Look, tally: Look) {
  return {
    negation: /\b(?:NOT|LEAST|FALSE|INCORRECT)\b/.test(stem)
      ? 1
      : has(/\b(?:not|false|incorrect)\b/) / 2,
    statements: has(/\bstatement 1\b|(?:^|\n)[ \t]*(?:i|ii|iii)[.)]\s/),
    blank: has(/_{2,}|\.{3}/),
    asks_why: has(/\bwhy\b|\bbecause\b/),
    asks_how_many: has(/\bhow (?:many|much|long|far|old|often)\b/),
    asks_who_when_where: has(/\b(?:who|when|where|whom|whose)\b[^.?]{0,200}\?/),
    asks_to_compute: has(
      /\b(?:find|calculate|compute|determine|evaluate|solve|simplify|estimate)\b/,
    ),
    best: has(/\b(?:best|most likely|most appropriate|primary|main)\b/),
    condition: tally(/\b(?:if|suppose|assume|assuming|given|let|when)\b/g),
    rate: tally(/\b(?:per|each|every|times|twice|double|triple|average)\b/g),
    fraction: tally(/\b(?:half|third|quarter|fourth|fifth|fraction|ratio)s?\b|\d\/\d/g),
    comparison: tally(/\b(?:more|less|fewer|greater|larger|smaller|higher|lower|than)\b/g),
    remaining: tally(/\b(?:left|remain(?:s|ing|der)?|total|altogether|sum|rest)\b/g),
    person: tally(/\b(?:he|she|his|her|him|they)\b/g),
    define: has(/\b(?:called|known as|refers to|defined as|definition|term for|termed)\b/),
    cause: has(/\b(?:cause[sd]?|leads? to|results? in|effects? of|due to)\b/),
    example: has(/\b(?:example|instance|illustrates?|characteristic)\b/),
    quantifier: tally(/\b(?:all|some|every|none|no|any|always|never|only)\b/g),
  };
}

/** What is written in signs, units and forms of its own. */
function notation(whole: string, has: Look, tally: Look) {
  return {
    percent: tally(/%|\bpercent/g),
    money: tally(/[$£€]\s?\d|\b(?:dollars?|cents?|price|cost)\b/g),
    time_units: tally(/\b(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?)\b/g),
    science_units: tally(/\d\s?(?:kg|g|mg|km|cm|mm|nm|m|ml|l|mol|j|kj|v|w|hz|n|pa|k|ev|°c?)\b/g),
    year: has(/\b(?:1[5-9]\d\d|20[0-2]\d)s?\b/),
    latex: tally(/\\[a-z]+|[_^]\{|\$[^$\n]{1,80}\$/g),
    equation: tally(/[a-z0-9)]\s?[=<>≤≥]\s?[-a-z0-9(]/g),
    operator: tally(/[\w)]\s?[+*/^×÷·]\s?[\w(]|\d\s?-\s?\d/g),
    logic: tally(/[∀∃∨∧⊃⊢~≡•→∈]|\b(?:valid|invalid|premise|proposition|predicate)\b/g),
    code: tally(/[{};]\s*$|\w\(\)|\b(?:def|int|void|return|print|while|else|for i)\b|<-|←|==/gm),
    quote: tally(/["“”]/g),
    passage: has(/following (?:information|passage|excerpt)/),
    patient: has(/\b(?:patient|physician|year-old|symptoms|diagnosis|clinic)\b/),
    variables: tally(/(?<![\w'’])(?:[b-hj-z]|[xyzn]_?\d)(?![\w'’.])/g),
    parentheses: Math.log1p(count(whole, /[([]/g)),
  };
}

function choiceFeatures({
  stem,
  choices,
}: PromptParts): Record<(typeof CHOICE_FEATURES)[number], number> {
  if (choices.length === 0)
    return Object.fromEntries(CHOICE_FEATURES.map((name) => [name, Number.NaN])) as Record<
      (typeof CHOICE_FEATURES)[number],
      number
    >;
  const lists = choices.map((choice) => wordsOf(choice.toLowerCase()));
  const lengths = lists.map((list) => list.length);
  const mean = average(lengths);
  const sets = lists.map((list) => new Set(list));
  const asked = new Set(wordsOf(stem.toLowerCase()));
  const alike = sets.slice(1).map((set) => overlap(set, sets[0]!));
  const where = (test: (choice: string) => boolean) =>
    average(choices.map((c) => (test(c) ? 1 : 0)));
  return {
    which_following: /\bwhich (?:one )?of (?:the following|these)\b/i.test(stem) ? 1 : 0,
    except: /\bexcept\b/i.test(stem) ? 1 : 0,
    ends_in_question: stem.endsWith("?") ? 1 : 0,
    choice_words: Math.log1p(mean),
    choice_numeric: where((choice) => /^[-$£€(]*[\d.]/.test(choice)),
    choice_alike: average(alike),
    choice_spread: average(lengths.map((length) => Math.abs(length - mean))) / (mean + 1),
    choice_echo: average(sets.map((set) => overlap(set, asked))),
    choice_symbols: where((choice) => /[=^\\/+<>{}∀∃~∨⊃•]/.test(choice)),
    choice_names: where((choice) => /^[A-Z][a-z]+ [A-Z]/.test(choice)),
    choice_one_word: where((choice) => !/\s/.test(choice)),
    all_or_none: where((choice) =>
      /^(?:all|none|both|neither)\b.*\b(?:above|these|of)\b/i.test(choice),
    ),
    roman_choices: where((choice) => /^[IV]+(?: and [IV]+|, [IV]+)*(?: only)?$/.test(choice)),
  };
}

/** Runs of letters, with apostrophes and hyphens inside. */
function wordsOf(text: string): string[] {
  return text.match(/[A-Za-z][A-Za-z'’-]*/g) ?? [];
}

function overlap(part: ReadonlySet<string>, whole: ReadonlySet<string>): number {
  return part.size === 0 ? 0 : part.intersection(whole).size / part.size;
}

function average(values: readonly number[]): number {
  return values.reduce((sum, x) => sum + x, 0) / Math.max(1, values.length);
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}
