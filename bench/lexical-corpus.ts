/** Passages of real text as term numbers, in any number, and questions for them: what the lexical
 *  index and its peers are filled with. */
import { mulberry32 } from "../eval/random.ts";
import { Lexicon } from "../index/lexicon.ts";
import { countTerms, type TermCounts } from "../index/term-counts.ts";
import { terms } from "../index/terms.ts";
import { readTexts } from "./corpus-text.ts";

/** Shares of a copy's terms that are left out, and replaced by one drawn from all texts; one copy
 *  in so many brings a term of its own, so that the vocabulary goes on growing as Heaps has it. */
const DROPPED = 0.08;
const REPLACED = 0.12;
const OWN = 0.5;
/** About 1.3 WordPiece tokens a word: near enough to cut passages by. */
const TOKENS_PER_WORD = 1.3;

export interface LexicalCorpus {
  lexicon: Lexicon;
  /** By passage its terms' numbers, in text order. */
  passages: Uint32Array[];
  counts: TermCounts[];
  /** By question its terms. */
  questions: string[][];
}

/** `n` passages of the texts below `folder` (see readTexts): the originals, then seeded copies of
 *  them, round after round; and `questions` questions. */
export function lexicalCorpus(folder: string, n: number, questions: number): LexicalCorpus {
  const texts = readTexts(folder, (text) => text.split(/\s+/).length * TOKENS_PER_WORD);
  const lexicon = new Lexicon();
  const numbers = (text: string) =>
    Uint32Array.from(terms(text, "document"), (term) => lexicon.idOf(term, []));
  const originals = texts.originals.slice(0, n).map(({ text }) => numbers(text));
  const all = originals.flatMap((passage) => [...passage]);
  const passages = Array.from({ length: n }, (_, i) => {
    const original = originals[i % originals.length]!;
    if (i < originals.length) return original;
    const random = mulberry32(i);
    const copy: number[] = [];
    for (const term of original) {
      const dice = random();
      if (dice < DROPPED) continue;
      const drawn = all[Math.floor(random() * all.length)]!;
      copy.push(dice < DROPPED + REPLACED ? drawn : term);
    }
    if (random() < OWN) copy.push(lexicon.idOf(`own${i.toString(36)}`, []));
    return Uint32Array.from(copy);
  });
  return {
    lexicon,
    passages,
    counts: passages.map((passage) => countTerms([...passage])),
    questions: texts.questions.slice(0, questions).map((text) => terms(text, "query")),
  };
}
