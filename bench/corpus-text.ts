/** Real text for benches: paragraphs and questions of public data sets, from a folder. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { mulberry32 } from "../eval/random.ts";

/** Passages of a retrieval index: a paragraph of an article, a few sentences of an abstract. */
const PASSAGE_WORDS_MIN = 60;
const PASSAGE_WORDS_MAX = 130;
/** In WordPiece tokens: below the 200 at which the service cuts, with room for what perturbing
 *  adds, so that one text stays one passage. */
const PASSAGE_TOKENS_MAX = 165;

/** A piece of a paragraph, of PASSAGE_WORDS_MIN to PASSAGE_WORDS_MAX words. */
export interface Original {
  text: string;
  /** The folder or file that it came from. */
  source: string;
}

export interface SourceTexts {
  originals: Original[];
  questions: string[];
}

/** Every paragraph and question below `folder`, in files of SQuAD's layout (.json) and folders of
 *  BEIR's (corpus.jsonl, queries.jsonl), without repeats, in an order shuffled by a fixed seed: a
 *  prefix is a fair sample. Throws where there is none. */
export function readTexts(folder: string, countTokens: (text: string) => number): SourceTexts {
  const paragraphs = new Map<string, string>();
  const questions = new Set<string>();
  for (const path of filesBelow(folder)) {
    const name = basename(path);
    if (name === "corpus.jsonl")
      for (const { text } of readLines(path)) paragraphs.set(text!, basename(dirname(path)));
    else if (name === "queries.jsonl") for (const { text } of readLines(path)) questions.add(text!);
    else if (name.endsWith(".json")) readSquadLayout(path, paragraphs, questions);
  }
  if (paragraphs.size === 0 || questions.size === 0)
    throw new Error(`${folder} holds no data in SQuAD's or BEIR's layout`);
  const originals = Array.from(paragraphs, ([text, source]) =>
    cut(text, countTokens).map((piece) => ({ text: piece, source })),
  ).flat();
  return { originals: shuffled(originals), questions: shuffled([...questions]) };
}

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) throw new Error(`${folder} does not exist`);
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  return names.map((name) => join(folder, name)).filter((path) => statSync(path).isFile());
}

function readLines(path: string): Record<string, string>[] {
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}

interface SquadLayout {
  data?: { paragraphs?: { context?: string; qas?: { question: string }[] }[] }[];
}

function readSquadLayout(path: string, paragraphs: Map<string, string>, questions: Set<string>) {
  const file = JSON.parse(readFileSync(path, "utf8")) as SquadLayout;
  if (!Array.isArray(file.data)) return;
  for (const { paragraphs: all = [] } of file.data)
    for (const { context, qas = [] } of all) {
      if (context === undefined) continue;
      paragraphs.set(context, basename(path, ".json"));
      for (const { question } of qas) questions.add(question);
    }
}

/** Whole sentences, as many as fit; a remainder that is too short for a passage is left out. */
function cut(paragraph: string, countTokens: (text: string) => number): string[] {
  const pieces: string[] = [];
  let open: string[] = [];
  let words = 0;
  let tokens = 0;
  const close = () => {
    if (words >= PASSAGE_WORDS_MIN) pieces.push(open.join(" "));
    open = [];
    words = 0;
    tokens = 0;
  };
  for (const sentence of paragraph.split(/(?<=[.!?])\s+|\n+/)) {
    const sentenceWords = sentence.split(/\s+/).filter((word) => word !== "").length;
    const sentenceTokens = countTokens(sentence);
    if (words + sentenceWords > PASSAGE_WORDS_MAX || tokens + sentenceTokens > PASSAGE_TOKENS_MAX)
      close();
    if (sentenceWords > PASSAGE_WORDS_MAX || sentenceTokens > PASSAGE_TOKENS_MAX) continue;
    open.push(sentence.trim());
    words += sentenceWords;
    tokens += sentenceTokens;
  }
  close();
  return pieces;
}

/** Fisher and Yates, seeded. */
function shuffled<T>(items: T[]): T[] {
  const random = mulberry32(4);
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}
