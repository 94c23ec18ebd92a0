/** Passages of real text in any number, with vectors, and queries for them. Passage i is the same
 *  in every run, and is made when it is asked for: a million take no memory. */
import { loadModels } from "../eval/models.ts";
import { mulberry32 } from "../eval/random.ts";
import { type CountTokens, countByWord } from "../index/chunk.ts";
import { assert } from "../src/errors.ts";
import { PASSAGE_TOKENS_TARGET } from "../src/limits.ts";
import { embeddingsOf } from "./corpus-embeddings.ts";
import { type Original, readTexts } from "./corpus-text.ts";

/** Shares of a copy's words that are left out, swapped with the next and replaced, and how many
 *  rare ones come in: a copy keeps its subject and has about the distinct terms of its original. */
const DROPPED = 0.08;
const SWAPPED = 0.03;
const REPLACED = 0.12;
const RARE_MEAN = 1.5;
/** Heaps' law: a corpus of n words has about 40 sqrt(n) different ones. */
const HEAPS_FACTOR = 40;
const PASSAGE_WORDS_MEAN = 95;
/** A copy's vector is its original's, plus up to this much of another's, plus noise of up to this
 *  length: cosines with the original between .8 and 1, as paraphrases have. */
const OTHER_MAX = 0.5;
const NOISE_MAX = 0.5;

export interface BenchDocument {
  id: string;
  text: string;
  metadata: { source: string; year: number; shelf: number };
  /** Unit-length, f32 [dim]. */
  vector: Float32Array;
}

export interface BenchQuery {
  text: string;
  vector: Float32Array;
}

export class Corpus {
  readonly dim: number;
  readonly queries: readonly BenchQuery[];
  readonly #originals: readonly Original[];
  readonly #vectors: Float32Array;
  /** Every word of the originals in a row: a uniform draw has their frequencies. */
  readonly #words: readonly string[];
  readonly #countTokens: CountTokens;

  private constructor(
    originals: readonly Original[],
    vectors: Float32Array,
    queries: readonly BenchQuery[],
    countTokens: CountTokens,
  ) {
    this.#countTokens = countTokens;
    this.dim = vectors.length / originals.length;
    this.#originals = originals;
    this.#vectors = vectors;
    this.queries = queries;
    this.#words = originals.flatMap(({ text }) => text.split(/\s+/));
  }

  /** Reads `folder` (see readTexts) and embeds `originals` of its passages and `queries` of its
   *  questions, at most, once. Throws where the folder has no data. */
  static async open(
    folder: string,
    { originals, queries }: { originals: number; queries: number },
  ): Promise<Corpus> {
    const { encoder } = await loadModels();
    const texts = readTexts(folder, (text) => encoder.countTokens(text));
    const passages = texts.originals.map(({ text }) => text);
    const n = Math.min(originals, passages.length);
    const m = Math.min(queries, texts.questions.length);
    const vectors = embeddingsOf("passages", passages, n, encoder);
    const queryVectors = embeddingsOf("questions", texts.questions, m, encoder);
    const asked = texts.questions.slice(0, m).map((text, i) => {
      return { text, vector: queryVectors.subarray(i * encoder.dim, (i + 1) * encoder.dim) };
    });
    const countTokens = countByWord((text) => encoder.countTokens(text));
    return new Corpus(texts.originals.slice(0, n), vectors, asked, countTokens);
  }

  get originals(): number {
    return this.#originals.length;
  }

  /** Passage i: an original for the first `originals`, then perturbed copies, round after round; or
   *  the original again where a copy drew so long words that the service would cut it in two. */
  document(i: number): BenchDocument {
    const random = mulberry32(i + 1);
    const at = i % this.originals;
    const { text, source } = this.#originals[at]!;
    const copy = i >= this.originals;
    return {
      id: `p${i}`,
      text: copy ? this.#copied(text, i, random) : text,
      metadata: { source, year: 1990 + Math.floor(random() * 35), shelf: i % 100 },
      vector: copy ? this.#noisy(at, random) : this.#vector(at).slice(),
    };
  }

  #vector(at: number): Float32Array {
    return this.#vectors.subarray(at * this.dim, (at + 1) * this.dim);
  }

  #copied(text: string, i: number, random: () => number): string {
    const copy = this.#perturbed(text, i, random);
    return this.#countTokens(copy) > PASSAGE_TOKENS_TARGET ? text : copy;
  }

  #perturbed(text: string, i: number, random: () => number): string {
    const sentences = text.split(/(?<=[.!?])\s+/);
    const turn = Math.floor(random() * sentences.length);
    const words = [...sentences.slice(turn), ...sentences.slice(0, turn)].join(" ").split(/\s+/);
    const out: string[] = [];
    for (const word of words) {
      const dice = random();
      if (dice < DROPPED) continue;
      if (dice < DROPPED + REPLACED) out.push(this.#draw(random));
      else if (dice < DROPPED + REPLACED + SWAPPED) out.splice(-1, 0, word);
      else out.push(word);
    }
    const pool = Math.ceil(HEAPS_FACTOR * Math.sqrt((i + 1) * PASSAGE_WORDS_MEAN));
    for (let rare = random() * 2 * RARE_MEAN; rare >= 0.5; rare--)
      out.splice(Math.floor(random() * out.length), 0, rareWord(Math.floor(random() * pool)));
    return out.join(" ");
  }

  #draw(random: () => number): string {
    return this.#words[Math.floor(random() * this.#words.length)]!;
  }

  #noisy(at: number, random: () => number): Float32Array {
    const own = this.#vector(at);
    const other = this.#vector(Math.floor(random() * this.originals));
    const share = random() * OTHER_MAX;
    // The sum of four uniform numbers is near enough to a normal one; 3 / dim makes unit length.
    const noise = random() * NOISE_MAX * Math.sqrt(3 / this.dim);
    const sum = Float32Array.from(own, (value, j) => {
      const bell = random() + random() + random() + random() - 2;
      return value + share * other[j]! + noise * bell;
    });
    const norm = Math.hypot(...sum);
    assert(norm > 0, "a perturbed vector has a direction");
    return sum.map((value) => value / norm);
  }
}

const SYLLABLES = "ba co di fu ga he ji ko la mo ne po qui ra se ti vo wy xan zor".split(" ");

/** The n-th rare word: a number for two of five, a made-up name for the others. */
function rareWord(n: number): string {
  if (n % 5 < 2) return String(10_000 + n * 7);
  let name = "";
  for (let left = n + 8_000; left > 0; left = Math.floor(left / SYLLABLES.length))
    name += SYLLABLES[left % SYLLABLES.length];
  return name[0]!.toUpperCase() + name.slice(1);
}
