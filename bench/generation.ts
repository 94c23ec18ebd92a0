/** What generation adds to a decode step, and what its prefix cache and its drafts save, on a
 *  decoder of SmolLM2-135M's shape: 49,152 logits a token. Answers are checked before times. */
import { assert } from "../src/errors.ts";
import { Generator } from "../src/generation/generator.ts";
import { type Grammar, grammarOf } from "../src/generation/grammar.ts";
import { randomOf } from "../src/generation/prng.ts";
import { Sampler } from "../src/generation/sampler.ts";
import { maskOf, TokenOrder } from "../src/generation/token-mask.ts";
import type { GenerationRequest, Sampling } from "../src/generation/types.ts";
import type { Decoder, TokenModel } from "../src/model/decoder.ts";
import { loadSmollm, promptIds } from "./decode.ts";
import type { BenchOptions } from "./main.ts";
import { type Candidate, type Result, report, timeInterleaved } from "./report.ts";

const PREFIX_TOKENS = 512;
const QUESTION_TOKENS = 16;
const ANSWER_TOKENS = 128;
const once = { unit: "times/s", work: 1e9 };

/** Chooses the tokens of a script, in the time that the decoder takes: an answer's drafts are then
 *  accepted as the script has it, which random weights would not. */
class ScriptedModel implements TokenModel {
  readonly vocab_size: number;
  readonly context_length: number;
  private readonly decoder: Decoder;
  private readonly script: readonly number[];

  constructor(decoder: Decoder, script: readonly number[]) {
    this.decoder = decoder;
    this.script = script;
    this.vocab_size = decoder.vocab_size;
    this.context_length = decoder.context_length;
  }

  get length(): number {
    return this.decoder.length;
  }

  append(ids: readonly number[], rows = 1): Float32Array {
    const logits = this.decoder.append(ids, rows);
    for (let row = 0; row < rows; row++) {
      const next = this.script[this.length - rows + row + 1]!;
      logits[row * this.vocab_size + next] = 1e3;
    }
    return logits;
  }

  truncate(length: number): void {
    this.decoder.truncate(length);
  }
}

/** Tokens of an answer of which about `share` is copied from the prompt, 12 in a row. */
function groundedAnswer(prompt: readonly number[], share: number): number[] {
  const random = randomOf(1, 0);
  const answer: number[] = [];
  while (answer.length < ANSWER_TOKENS) {
    const from = Math.floor(random() * (prompt.length - 12));
    if (random() < share) answer.push(...prompt.slice(from, from + 12));
    else for (let i = 0; i < 12; i++) answer.push(3 + Math.floor(random() * 40_000));
  }
  return answer.slice(0, ANSWER_TOKENS);
}

type Asked = Omit<GenerationRequest, "scope"> & { scope?: string };

async function answerOf(generator: Generator, request: Asked) {
  let tokens = 0;
  let last = null;
  for await (const piece of generator.generate({ scope: "bench", ...request })) {
    tokens++;
    last = piece;
  }
  return { tokens, usage: last!.usage!, stats: last!.stats! };
}

function samplers(logits: Float32Array): Candidate[] {
  const sampler = new Sampler(logits.length);
  const random = randomOf(2, 0);
  const flat = Float32Array.from(logits, (logit) => logit / 50);
  const candidate = (name: string, values: Float32Array, sampling: Sampling): Candidate => ({
    name: `choose: ${name}`,
    ...once,
    run: () => sampler.choose(values, sampling, random),
  });
  return [
    candidate("greedy", logits, { temperature: 0 }),
    candidate("temperature", logits, { temperature: 0.8 }),
    candidate("top_k 40, top_p 0.95, min_p 0.05", logits, { top_k: 40, top_p: 0.95, min_p: 0.05 }),
    candidate("top_p 0.9", logits, { top_p: 0.9 }),
    candidate("top_p 0.9 of a flat distribution", flat, { top_p: 0.9 }),
  ];
}

const PERSON = {
  type: "object",
  properties: {
    name: { type: "string" },
    born: { type: "string", format: "date" },
    motto: { type: "string", maxLength: 60 },
  },
  required: ["name", "born", "motto"],
  additionalProperties: false,
};

function masks(decoder: Decoder): Candidate[] {
  const order = new TokenOrder(decoder.tokenizer);
  const format = { type: "json_schema", json_schema: { name: "person", schema: PERSON } };
  const stateAt = (grammar: Grammar, text: string) => {
    let state = grammar.automaton.start;
    for (const byte of new TextEncoder().encode(text))
      state = grammar.automaton.step(state, byte) ?? assert(false, `${text} is of the schema`)!;
    return state;
  };
  const grammar = grammarOf(format)!;
  const places = {
    name: '{"name": "Jo',
    date: '{"name":"","born":"19',
    motto: '{"name":"","born":"1999-01-01","motto":"A',
  };
  const candidates = Object.entries(places).map(([name, text]): Candidate => {
    const state = stateAt(grammar, text);
    return {
      name: `mask: in ${name}`,
      ...once,
      run: () => maskOf(grammar.automaton, state, order),
    };
  });
  const fresh = (): Candidate => ({
    name: "mask: in name, automaton new, schema compiled",
    ...once,
    run: () => {
      const own = grammarOf(format)!;
      return maskOf(own.automaton, stateAt(own, places.name), order);
    },
  });
  const sorting = {
    name: "tokens sorted, once a model",
    ...once,
    run: () => new TokenOrder(decoder.tokenizer),
  };
  return [...candidates, fresh(), sorting];
}

/** Time to the first token of prompts that share a prefix, which is reused or is not. */
async function firstTokens(decoder: Decoder, rounds: number): Promise<Result[]> {
  const generator = new Generator(decoder, decoder.tokenizer);
  let question = 0;
  const ask = async (cached: boolean) => {
    const from = 20_000 + (question++ % 1_000) * QUESTION_TOKENS;
    const own = Array.from({ length: QUESTION_TOKENS }, (_, i) => from + i);
    const prompt = [...promptIds(PREFIX_TOKENS), ...own];
    const scope = cached ? "same" : `another ${question}`;
    const { usage } = await answerOf(generator, { prompt, scope, max_tokens: 1 });
    return usage.cached_tokens;
  };
  const name = `first token after ${PREFIX_TOKENS} + ${QUESTION_TOKENS} tokens`;
  const timing = { rounds, sampleMs: 1, warmUpMs: 1 };
  const time = (cached: boolean) =>
    timeInterleaved(
      [{ name: `${name}${cached ? ", prefix cached" : ""}`, ...once, run: () => ask(cached) }],
      timing,
    );
  const [plain] = await time(false);
  assert((await ask(true)) === 0, "another scope reuses nothing");
  assert((await ask(true)) === PREFIX_TOKENS, "the prefix is reused");
  const [cached] = await time(true);
  const ratio = plain!.msMedian / cached!.msMedian;
  return [plain!, { ...cached!, peer: plain!.name, ratio }];
}

async function drafts(decoder: Decoder, share: number): Promise<Candidate[]> {
  const prompt = promptIds(PREFIX_TOKENS);
  const script = [...prompt, ...groundedAnswer(prompt, share)];
  const generator = new Generator(new ScriptedModel(decoder, script), decoder.tokenizer);
  const request = { prompt, max_tokens: ANSWER_TOKENS, sampling: { temperature: 0 } };
  const { usage, stats } = await answerOf(generator, request);
  assert(usage.completion_tokens === ANSWER_TOKENS, "the script was followed");
  const copied = `${Math.round(share * 100)} % copied`;
  const note = `${stats.accepted} of ${stats.drafted} drafts accepted`;
  const plain = `${ANSWER_TOKENS} tokens, ${copied}, plain`;
  return [
    { name: plain, ...once, run: () => answerOf(generator, { ...request, speculate: false }) },
    {
      name: `${ANSWER_TOKENS} tokens, ${copied}, drafted`,
      ...once,
      peer: plain,
      note,
      run: () => answerOf(generator, request),
    },
  ];
}

/** Greedy answers with drafts equal plain ones on the real kernels too. */
async function checkDrafts(decoder: Decoder): Promise<void> {
  const generator = new Generator(decoder, decoder.tokenizer);
  for (let from = 0; from < 4; from++) {
    const prompt = promptIds(200).slice(from * 40);
    const texts: string[] = [];
    for (const speculate of [true, false]) {
      let text = "";
      const request = { prompt, scope: "check", sampling: { temperature: 0 }, max_tokens: 64 };
      for await (const piece of generator.generate({ ...request, speculate })) text += piece.text;
      texts.push(text);
    }
    assert(texts[0] === texts[1], "drafts change no answer");
  }
}

export async function run({ json, quick }: BenchOptions): Promise<void> {
  const decoder = await loadSmollm();
  await checkDrafts(decoder);
  decoder.truncate(0);
  const logits = decoder.append(promptIds(8)).slice();
  const small = [...samplers(logits), ...masks(decoder)];
  const large = [...(await drafts(decoder, 0)), ...(await drafts(decoder, 0.7))];
  const rounds = quick ? 2 : 7;
  const results = [
    ...(await timeInterleaved(small, { rounds, sampleMs: 20, warmUpMs: quick ? 10 : 100 })),
    ...(await timeInterleaved(large, { rounds: quick ? 1 : 5, sampleMs: 1, warmUpMs: 1 })),
  ];
  results.push(...(await firstTokens(decoder, quick ? 1 : 5)));
  report("generation", results, json);
}
