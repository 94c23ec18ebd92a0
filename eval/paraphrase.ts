/** Says a question in other words, by rules that keep what is asked. They are crude where people
 *  are subtle; docs/learning.md says what that means for the figures. */
import { STOPWORDS } from "../index/terms.ts";

export interface Rule {
  name: string;
  /** Null where the rule does not fit. `topic` names what the question's text is about. */
  apply(question: string, topic: string, random: () => number): string | null;
}

const pick = <T>(random: () => number, items: readonly T[]): T =>
  items[Math.floor(random() * items.length)]!;

const lowerFirst = (text: string) =>
  /^(What|Which|Who|Whom|Whose|When|Where|Why|How|In|On|At|By|For|From|To|The|During|Of)\b/.test(
    text,
  )
    ? text[0]!.toLowerCase() + text.slice(1)
    : text;

const upperFirst = (text: string) => (text[0] ?? "").toUpperCase() + text.slice(1);

const bare = (question: string) => question.trim().replace(/\s*[?.!]+$/, "");

/** Rewrites the first match of any of the patterns, or null. */
function rewrite(question: string, rules: readonly (readonly [RegExp, string])[]): string | null {
  for (const [pattern, to] of rules) {
    const out = question.replace(pattern, to);
    if (out !== question) return upperFirst(out);
  }
  return null;
}

const REQUESTS = [
  (q: string) => `Can you tell me ${q}?`,
  (q: string) => `Please tell me ${q}.`,
  (q: string) => `I would like to know ${q}.`,
  (q: string) => `Do you know ${q}?`,
  (q: string) => `${upperFirst(q)}, please?`,
];

const LEADS = [
  (topic: string, q: string) => `About ${topic}: ${q}?`,
  (topic: string, q: string) => `Regarding ${topic}, ${q}?`,
  (topic: string, q: string) => `I am reading about ${topic}. ${upperFirst(q)}?`,
];

const QUESTION_WORDS: [RegExp, string][] = [
  [/^In (what|which) year\b/i, "When"],
  [/^What year\b/i, "In which year"],
  [/^When (did|was|were)\b/, "In what year $1"],
  [/^What (type|types) of\b/, "What kind of"],
  [/^What kind of\b/, "Which type of"],
  [/^How many\b/, "What number of"],
  [/^Why\b/, "For what reason"],
  [/^Where\b/, "In what place"],
  [/^Who (is|was)\b/, "Which person $1"],
  [/^What (\w+) (?=is|was|are|were|did|does|do|has|have|had|can)/, "Which $1 "],
  [/^Which (?=\w+)/, "What "],
];

/** Words that mean much the same in a question; each side stands for the other. */
const SYNONYMS: [string, string][] = [
  ["begin", "start"],
  ["began", "started"],
  ["create", "make"],
  ["created", "made"],
  ["large", "big"],
  ["largest", "biggest"],
  ["important", "significant"],
  ["located", "situated"],
  ["called", "named"],
  ["type", "sort"],
  ["purchase", "buy"],
  ["purchased", "bought"],
  ["happened", "occurred"],
  ["happen", "occur"],
  ["main", "principal"],
  ["build", "construct"],
  ["built", "constructed"],
  ["people", "persons"],
  ["country", "nation"],
  ["found", "discovered"],
  ["use", "employ"],
  ["used", "employed"],
  ["own", "possess"],
  ["show", "display"],
  ["receive", "get"],
  ["received", "got"],
  ["famous", "well known"],
  ["allow", "permit"],
  ["died", "passed away"],
  ["leader", "head"],
  ["help", "assist"],
  ["goal", "aim"],
  ["cause", "bring about"],
  ["caused", "brought about"],
  ["founded", "established"],
  ["film", "movie"],
  ["car", "automobile"],
  ["near", "close to"],
  ["part", "portion"],
  ["wrote", "authored"],
  ["end", "finish"],
  ["ended", "finished"],
  ["usually", "normally"],
  ["often", "frequently"],
  ["attempt", "try"],
  ["attempted", "tried"],
  ["contain", "hold"],
  ["contains", "holds"],
  ["require", "need"],
  ["required", "needed"],
  ["amount", "quantity"],
  ["believe", "think"],
  ["believed", "thought"],
  ["area", "region"],
  ["job", "occupation"],
  ["reason", "grounds"],
  ["released", "published"],
  ["chosen", "selected"],
  ["defeated", "beat"],
  ["refer to", "mean"],
];

const NUMBERS: [string, string][] = [
  ["two", "2"],
  ["three", "3"],
  ["four", "4"],
  ["five", "5"],
  ["six", "6"],
  ["seven", "7"],
  ["eight", "8"],
  ["nine", "9"],
  ["ten", "10"],
];

function exchange(
  question: string,
  pairs: readonly [string, string][],
  random: () => number,
): string | null {
  const found = pairs.flatMap(([a, b]) => {
    if (new RegExp(`\\b${a}\\b`).test(question)) return [[a, b] as const];
    if (new RegExp(`\\b${b}\\b`).test(question)) return [[b, a] as const];
    return [];
  });
  if (found.length === 0) return null;
  const [from, to] = pick(random, found);
  return question.replace(new RegExp(`\\b${from}\\b`), to);
}

function moveFront(question: string): string | null {
  const match = /^(.{12,}?) ((?:in|during|on|after|before|since|at) [^?,]{3,40})\?$/.exec(question);
  if (match === null || /\b(what|which|who|whom|when|where)$/i.test(match[1]!)) return null;
  return `${upperFirst(match[2]!)}, ${lowerFirst(match[1]!)}?`;
}

function turnRound(question: string): string | null {
  return rewrite(question, [
    [/^What (is|was|are|were) (the [^?,]+)\?$/, "$2 $1 what?"],
    [/^Who (is|was|are|were) (the [^?,]+)\?$/, "$2 $1 who?"],
    [/^Who (\w+ed) (?!to )([^?,]+)\?$/, "By whom was $2 $1?"],
    [
      /^(What|Which) ([\w ]{3,30}?) (did|does|do) ([^?]+) (in|on|at|by|for|from|to)\?$/,
      "$5 $1 $2 $3 $4?",
    ],
  ]);
}

function dropLittleWords(question: string): string | null {
  const little = new Set([...STOPWORDS, "did", "do", "does", "were", "has", "have", "had"]);
  for (const kept of ["not", "no", "in", "of", "by", "for", "to"]) little.delete(kept);
  const words = bare(question).split(/\s+/);
  const left = words.filter((word) => !little.has(word.toLowerCase()));
  return left.length === words.length ? null : left.join(" ");
}

function mistype(question: string, _topic: string, random: () => number): string | null {
  const words = question.split(" ");
  const long = words.flatMap((word, i) => (/^[a-z]{6,}$/.test(word) ? [i] : []));
  if (long.length === 0) return null;
  const at = pick(random, long);
  const word = words[at]!;
  const i = 1 + Math.floor(random() * (word.length - 3));
  if (word[i] === word[i + 1]) return null;
  words[at] = word.slice(0, i) + word[i + 1] + word[i] + word.slice(i + 2);
  return words.join(" ");
}

export const RULES: readonly Rule[] = [
  { name: "request", apply: (q, _, r) => pick(r, REQUESTS)(lowerFirst(bare(q))) },
  { name: "lead-in", apply: (q, topic, r) => pick(r, LEADS)(topic, lowerFirst(bare(q))) },
  { name: "question word", apply: (q) => rewrite(q, QUESTION_WORDS) },
  { name: "synonym", apply: (q, _, r) => exchange(q, SYNONYMS, r) },
  { name: "number as a word", apply: (q, _, r) => exchange(q, NUMBERS, r) },
  { name: "circumstance in front", apply: (q) => moveFront(q) },
  { name: "turned round", apply: (q) => turnRound(q) },
  {
    name: "genitive",
    apply: (q) =>
      rewrite(q, [
        [/\bthe (\w+) of ((?:the )?[A-Z]\w+)(?=[?,]| (?:in|is|was|did)\b)/, "$2's $1"],
        [/\b([A-Z]\w+)'s ([a-z]+)(?=[?,]| (?:in|is|was|did)\b)/, "the $2 of $1"],
      ]),
  },
  {
    name: "name it",
    apply: (q) =>
      rewrite(q, [
        [
          /^(?:What|Which) (\w+) ((?!did|do|is|was|are|were|of|has|had|can)\w+(?:ed|s)) ([^?]+)\?$/,
          "Name the $1 that $2 $3.",
        ],
        [/^(?:What|Which) (?:is|was|are|were) (the [^?]+)\?$/, "Name $1."],
        [/^Who (\w+ed) ([^?]+)\?$/, "Name the person who $1 $2."],
      ]),
  },
  { name: "little words dropped", apply: (q) => dropLittleWords(q) },
  { name: "lower case", apply: (q) => bare(q).toLowerCase() },
  { name: "typing error", apply: mistype },
  {
    name: "contraction",
    apply: (q) =>
      rewrite(q, [
        [/^(What|Who|Where|When) is\b/, "$1's"],
        [/\b(did|does|is|was|were|do) not\b/, "$1n't"],
        [/\b(did|does|is|was|were|do)n't\b/, "$1 not"],
      ]),
  },
];

/** Another wording of the question by one to `most` rules that fit, none of `without`, and their
 *  names; it differs from the question by more than white space and case, or one rule was "lower
 *  case". */
export function paraphrase(
  question: string,
  topic: string,
  random: () => number,
  most = 2,
): { text: string; rules: string[] } {
  const wanted = 1 + Math.floor(random() * most);
  const rules: string[] = [];
  let text = question.trim();
  for (let tries = 0; tries < 20 && rules.length < wanted; tries++) {
    const rule = pick(random, RULES);
    if (rules.includes(rule.name)) continue;
    const next = rule.apply(text, topic, random);
    if (next === null || next === text) continue;
    text = next;
    rules.push(rule.name);
  }
  return { text, rules };
}
