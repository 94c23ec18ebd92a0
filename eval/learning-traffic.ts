/** Traffic in which questions come again in other words: four quarters of a year, say. */
import { paraphrase } from "./paraphrase.ts";
import { mulberry32 } from "./random.ts";
import type { Question } from "./squad.ts";

export const QUARTERS = 4;

export interface Ask {
  quarter: number;
  /** What is asked, and whose answers are right. */
  text: string;
  question: Question;
  /** The question that comes again; null: it comes once. */
  recurring: string | null;
  /** How the text was made: rules' names joined, "SQuAD's", "another annotator's" or "once". */
  made: string;
}

interface Recurring {
  question: Question;
  /** In which quarter SQuAD's own wording is asked, and in which the other annotator's. */
  first: number;
  second: number;
  /** The same in another annotator's words: a question on the paragraph with the same span. */
  own: Question | null;
}

/** A share of the questions of each quarter that is never asked again, drawn from the paragraphs of
 *  those that are: near misses for notes. */
const ONCE_SHARE = 0.2;

/** `perQuarter` questions a quarter: four fifths come in each, in one as SQuAD has them, in one in
 *  another annotator's words where SQuAD has such, else by the rules of paraphrase.ts; the rest
 *  come once. Nothing but time tells the quarters apart. Shuffled within a quarter; the same for
 *  the same data. */
export function makeTraffic(all: readonly Question[], perQuarter: number): Ask[] {
  const random = mulberry32(20_261_129);
  const once = Math.round(perQuarter * ONCE_SHARE);
  const recurring = chooseRecurring(all, perQuarter - once, random);
  const used = new Set(recurring.flatMap(({ question, own }) => [question.id, own?.id]));
  const paragraphs = new Set(recurring.map(({ question }) => question.context));
  const near = all.filter(({ id, context }) => !used.has(id) && paragraphs.has(context));
  const single = shuffled(near, random).slice(0, once * QUARTERS);
  const asks: Ask[] = [];
  for (let quarter = 0; quarter < QUARTERS; quarter++) {
    const again = recurring.map((one) => askAgain(one, quarter, random));
    const others = single.slice(quarter * once, (quarter + 1) * once).map((question): Ask => {
      return { quarter, text: question.question, question, recurring: null, made: "once" };
    });
    asks.push(...shuffled([...again, ...others], random));
  }
  return asks;
}

/** Questions that an annotator asked in other words come first; they are few. */
function chooseRecurring(
  all: readonly Question[],
  count: number,
  random: () => number,
): Recurring[] {
  const order = shuffled(all, random);
  const when = () => {
    const [first, second] = shuffled([...Array(QUARTERS).keys()], random);
    return { first: first!, second: second! };
  };
  const pairs = order.flatMap((question): Recurring[] => {
    const own = order.find((other) => other.id > question.id && asksTheSame(question, other));
    return own === undefined ? [] : [{ question, own, ...when() }];
  });
  const taken = new Set(pairs.flatMap(({ question, own }) => [question.id, own!.id]));
  const rest = order
    .filter(({ id }) => !taken.has(id))
    .map((question) => {
      return { question, own: null, ...when() };
    });
  const seen = new Set<string>();
  const distinct = pairs.filter(({ question, own }) => {
    if (seen.has(question.id) || seen.has(own!.id)) return false;
    seen.add(question.id).add(own!.id);
    return true;
  });
  return [...distinct.slice(0, Math.floor(count / 3)), ...rest].slice(0, count);
}

/** Annotators who marked the same words asked the same more often than not; never certainly. */
function asksTheSame(a: Question, b: Question): boolean {
  const first = ({ answers }: Question) => answers[0]!.toLowerCase();
  return a.context === b.context && first(a) === first(b);
}

function askAgain(
  { question, own, first, second }: Recurring,
  quarter: number,
  random: () => number,
): Ask {
  const ask = { quarter, question, recurring: question.id };
  if (quarter === first) return { ...ask, text: question.question, made: "SQuAD's" };
  if (quarter === second && own !== null)
    return { ...ask, question: own, text: own.question, made: "another annotator's" };
  const topic = question.article.replaceAll("_", " ");
  const { text, rules } = paraphrase(question.question, topic, random);
  return { ...ask, text, made: rules.join(" + ") };
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}
