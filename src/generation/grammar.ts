/** Holds an answer to a grammar, token by token. */
import { ServiceError } from "../errors.ts";
import { JSON_DEPTH_MAX } from "../limits.ts";
import type { Tokenizer } from "../model/tokenizer.ts";
import { Automaton, type GrammarState } from "./automaton.ts";
import { JsonGrammar } from "./json-grammar.ts";
import { SchemaReader } from "./schema-reader.ts";
import { type Json, refuseSchema, type Schema } from "./schema-shape.ts";
import { MaskCache, type TokenOrder } from "./token-mask.ts";

/** A compiled grammar; one serves any number of answers and vocabularies. */
export class Grammar {
  readonly automaton: Automaton;
  private masks: { order: TokenOrder; cache: MaskCache } | null = null;

  constructor(automaton: Automaton) {
    this.automaton = automaton;
  }

  masksFor(order: TokenOrder): MaskCache {
    if (this.masks?.order !== order)
      this.masks = { order, cache: new MaskCache(this.automaton, order) };
    return this.masks.cache;
  }
}

/** The grammar of OpenAI's `response_format`, or null for `text`. With `strict`, objects that name
 *  properties are closed where the schema does not say; the answer is valid against the schema with
 *  and without. Errors: invalid_request for what is no response_format, unsupported_parameter for a
 *  schema that cannot be held to, with the place and the keyword in the message. */
export function grammarOf(response_format: unknown): Grammar | null {
  const format = fieldsOf(response_format, "response_format");
  if (format.type === "text") return null;
  if (format.type === "json_object") return compile({ type: "object" }, false);
  if (format.type !== "json_schema")
    throw new ServiceError("invalid_request", "type is text, json_object or json_schema", {
      param: "response_format.type",
    });
  const { schema = {}, strict } = fieldsOf(format.json_schema, "response_format.json_schema");
  if (schema !== true && schema !== false) {
    fieldsOf(schema, "response_format.json_schema.schema");
    refuseDeep(schema as Json, 0);
  }
  return compile(schema as Schema, strict === true);
}

function fieldsOf(value: unknown, param: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new ServiceError("invalid_request", `${param} is an object`, { param });
}

/** The readers are recursive, so how deep a schema may be has a bound. */
function refuseDeep(value: Json, depth: number): void {
  if (typeof value !== "object" || value === null) return;
  if (depth > JSON_DEPTH_MAX) refuseSchema("the schema", `nests deeper than ${JSON_DEPTH_MAX}`);
  for (const part of Object.values(value)) refuseDeep(part, depth + 1);
}

function compile(schema: Schema, closed: boolean): Grammar {
  const reader = new SchemaReader(schema, closed);
  reader.readAll();
  const root = new JsonGrammar(reader).value(schema, 0);
  if (root.fewest === Number.POSITIVE_INFINITY)
    refuseSchema("the schema", "no value that can be written satisfies it");
  return new Grammar(new Automaton(root));
}

/** One answer that is being held to a grammar. */
export class GrammarRun {
  /** Whether the limit of tokens, and not the model, chose a token. */
  hurried = false;
  private readonly grammar: Grammar;
  private readonly order: TokenOrder;
  private readonly tokenizer: Tokenizer;
  private state: GrammarState;

  constructor(grammar: Grammar, order: TokenOrder, tokenizer: Tokenizer) {
    this.grammar = grammar;
    this.order = order;
    this.tokenizer = tokenizer;
    this.state = grammar.automaton.start;
  }

  /** Whether the text is complete and nothing may follow it. */
  get finished(): boolean {
    return this.state.complete && this.state.cells.length === 0;
  }

  /** Whether a token may come next, if `left` more can follow it. Every byte is a token in the
   *  vocabularies that Brink reads, so a text that `left` bytes complete can be completed: tokens
   *  after which it could not are refused, unless it cannot be completed as it is. */
  allows(token: number, left: number): boolean {
    if (this.tokenizer.eos.has(token)) return this.state.complete;
    const after = this.after(token);
    return after !== null && after.fewest <= this.limitOf(left);
  }

  /** Sets the logits of tokens that may not come next to -Infinity; `wanted` is the token that
   *  was chosen without this and that `allows` refused. */
  restrict(logits: Float32Array, left: number, wanted: number): void {
    const masks = this.grammar.masksFor(this.order);
    const all = masks.get(this.state, Number.POSITIVE_INFINITY);
    const within = masks.get(this.state, this.limitOf(left));
    const ends = this.state.complete && this.tokenizer.eos.size > 0;
    // Else only a vocabulary that lacks a byte has no token within the limit.
    const { bits } = ends || within.bits.some((word) => word !== 0) ? within : all;
    let best = wanted;
    let most = Number.NEGATIVE_INFINITY;
    let count = 0;
    for (let id = 0; id < logits.length; id++) {
      const word = id >>> 5;
      const bit = 1 << (id & 31);
      if (all.bits[word]! & bit && logits[id]! > most) {
        best = id;
        most = logits[id]!;
      }
      if (bits[word]! & bit || (this.state.complete && this.tokenizer.eos.has(id))) count++;
      else logits[id] = Number.NEGATIVE_INFINITY;
    }
    if (count === 0)
      throw new ServiceError(
        "unsupported_parameter",
        "the model's vocabulary has no token for what the schema needs next",
        { param: "response_format" },
      );
    const cut = (id: number) => hasBit(all, id) && !hasBit({ bits }, id);
    if (cut(wanted) || cut(best)) this.hurried = true;
  }

  /** Notes a token that was chosen and that `allows` allows. */
  accept(token: number): void {
    if (!this.tokenizer.eos.has(token)) this.state = this.after(token)!;
  }

  private limitOf(left: number): number {
    return this.state.fewest > left + 1 ? Number.POSITIVE_INFINITY : left;
  }

  private after(token: number): GrammarState | null {
    const bytes = this.tokenizer.bytesOf(token);
    let state: GrammarState | null = bytes.length > 0 ? this.state : null;
    for (let i = 0; i < bytes.length && state; i++)
      state = this.grammar.automaton.step(state, bytes[i]!);
    return state;
  }
}

function hasBit({ bits }: { bits: Uint32Array }, id: number): boolean {
  return ((bits[id >>> 5]! >>> (id & 31)) & 1) === 1;
}
