/** A model's tokenizer from the `tokenizers` package's tokenizer.json, with the file's own markers
 *  around one text or a pair. */
import { z } from "zod";
import { ServiceError } from "../errors.ts";
import { check, Id, readWords, refuse, type Words } from "./words-json.ts";

/** A sequence as a BERT-like graph takes it. */
export interface TokenSequence {
  ids: number[];
  /** 0 for the first text and its markers, 1 for the second's, as the file says. */
  types: number[];
}

/** A place in a sequence: a marker's id, or one of the texts. */
type Place = { marker: number; type: number } | { text: "A" | "B"; type: number };

const Marked = z.tuple([z.string(), Id]);
const TemplatePlace = z.union([
  z.object({ SpecialToken: z.object({ id: z.string(), type_id: z.int().min(0).max(1) }) }),
  z.object({ Sequence: z.object({ id: z.enum(["A", "B"]), type_id: z.int().min(0).max(1) }) }),
]);
const PostProcessor = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("TemplateProcessing"),
    single: z.array(TemplatePlace).max(16),
    pair: z.array(TemplatePlace).max(16),
    special_tokens: z.record(z.string(), z.object({ ids: z.array(Id).max(4) })),
  }),
  z.object({ type: z.literal("BertProcessing"), sep: Marked, cls: Marked }),
  z.object({ type: z.literal("RobertaProcessing"), sep: Marked, cls: Marked }),
]);

const Layouts = z.object({ post_processor: PostProcessor });
type Layouts = z.infer<typeof Layouts>;

/** Texts to the ids that a model was trained on. A marker's text within a text is text. */
export class PairTokenizer {
  readonly #words: Words;
  readonly #single: Place[];
  readonly #pair: Place[];

  private constructor(words: Words, single: Place[], pair: Place[]) {
    this.#words = words;
    this.#single = single;
    this.#pair = pair;
  }

  /** Throws `invalid_model_file` naming the tokenizer's type, or the setting, that is not read. */
  static parse(text: string): PairTokenizer {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw new ServiceError("invalid_model_file", "tokenizer.json is not JSON", { cause });
    }
    const words = readWords(value);
    const { single, pair } = places(check(Layouts, value, "BERT or RoBERTa"));
    return new PairTokenizer(words, single, pair);
  }

  /** One text, cut so that the sequence has at most `tokensMax` tokens, markers included. */
  encode(text: string, tokensMax: number): TokenSequence {
    const room = roomIn(this.#single, tokensMax);
    return fill(this.#single, this.#words(text, room), []);
  }

  /** A pair; where both do not fit, the longer one is cut first, token by token, so that a short
   *  query stays whole. */
  encodePair(first: string, second: string, tokensMax: number): TokenSequence {
    const room = roomIn(this.#pair, tokensMax);
    const a = this.#words(first, room);
    const b = this.#words(second, room);
    const half = room >> 1;
    const keptA = Math.min(a.length, Math.max(room - half, room - b.length));
    const keptB = Math.min(b.length, room - keptA);
    return fill(this.#pair, a.slice(0, keptA), b.slice(0, keptB));
  }
}

/** Tokens that the texts may have, one at least. */
function roomIn(places: readonly Place[], tokensMax: number): number {
  const markers = places.filter((place) => "marker" in place).length;
  if (markers < tokensMax) return tokensMax - markers;
  throw refuse(`post_processor: ${markers} markers leave no room in ${tokensMax} tokens`);
}

function fill(places: readonly Place[], a: readonly number[], b: readonly number[]): TokenSequence {
  const out: TokenSequence = { ids: [], types: [] };
  for (const place of places) {
    const ids = "marker" in place ? [place.marker] : place.text === "A" ? a : b;
    for (const id of ids) {
      out.ids.push(id);
      out.types.push(place.type);
    }
  }
  return out;
}

/** Refuses a layout in which not just these texts stand, each once: others would be cut wrong. */
function refuseUnless(layout: readonly z.infer<typeof TemplatePlace>[], wanted: string[]): void {
  const texts = layout.flatMap((place) => ("Sequence" in place ? [place.Sequence.id] : []));
  if (texts.toSorted().join() !== wanted.join())
    throw refuse(`post_processor: a layout of ${wanted.join(" and ")} has [${texts.join(", ")}]`);
}

/** The two layouts. `tokenizers` gives BertProcessing and RobertaProcessing theirs in code. */
function places({ post_processor }: Layouts): { single: Place[]; pair: Place[] } {
  if (post_processor.type === "TemplateProcessing") {
    const { single, pair, special_tokens } = post_processor;
    const read = (place: z.infer<typeof TemplatePlace>): Place[] => {
      if ("Sequence" in place) return [{ text: place.Sequence.id, type: place.Sequence.type_id }];
      const { id, type_id } = place.SpecialToken;
      const token = Object.hasOwn(special_tokens, id) ? special_tokens[id]! : null;
      if (token === null) throw refuse(`post_processor: no special token ${id.slice(0, 40)}`);
      return token.ids.map((marker) => ({ marker, type: type_id }));
    };
    refuseUnless(single, ["A"]);
    refuseUnless(pair, ["A", "B"]);
    return { single: single.flatMap(read), pair: pair.flatMap(read) };
  }
  const roberta = post_processor.type === "RobertaProcessing";
  const [cls, sep] = [post_processor.cls[1], post_processor.sep[1]];
  const second = roberta ? 0 : 1;
  const single: Place[] = [
    { marker: cls, type: 0 },
    { text: "A", type: 0 },
    { marker: sep, type: 0 },
  ];
  const between: Place[] = roberta ? [{ marker: sep, type: 0 }] : [];
  const rest: Place[] = [
    { text: "B", type: second },
    { marker: sep, type: second },
  ];
  return { single, pair: [...single, ...between, ...rest] };
}
