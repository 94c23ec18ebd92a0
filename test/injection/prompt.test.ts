/** What passages that give orders become in a prompt, for a backend and for a generator. */
import { expect, it } from "vitest";
import { buildIds } from "../../src/generator/prompt.ts";
import type { SearchHit } from "../../src/memory/types.ts";
import { ChatTemplate } from "../../src/model/chat-template.ts";
import type { Decoder } from "../../src/model/decoder.ts";
import { loadTokenizer } from "../../src/model/tokenizer.ts";
import { citeMarks } from "../../src/pipeline/citations.ts";
import { buildPrompt, INSTRUCTION } from "../../src/pipeline/prompt.ts";
import { LLAMA3, QWEN3, QWEN25, SMOLLM2, ZEPHYR } from "../model/chat-templates.ts";
import { toyBpe } from "../model/toy-vocabulary.ts";
import { fenced, INJECTIONS } from "./injections.ts";

function hit(text: string, title: string | null = null): SearchHit {
  const place = { document_id: "d", passage_id: "d#0", title, metadata: {}, start: 0 };
  return { ...place, text, end: text.length, score: 1, bm25: 1, cosine: 1 };
}

const question = { role: "user" as const, content: "When does it open?" };
const quiet = hit("It opens at nine.");
/** A tag of ours, as a lenient reader would see it. */
const UNSEEN = "\\p{Cf}\\p{DI}";
const BEGINNINGS = ["pas", "cor"].map((letters) =>
  [...letters]
    .map((letter) => `[${letter}${String.fromCharCode(letter.charCodeAt(0) + 0xfee0)}]`)
    .join(`[${UNSEEN}]*`),
);
const TAGS = new RegExp(`[<\uff1c\ufe64][\\s${UNSEEN}/]*(?:${BEGINNINGS.join("|")})`, "giu");

it("there are injections of every kind, each with a question of its own", () => {
  expect(INJECTIONS.length).toBeGreaterThanOrEqual(40);
  expect(new Set(INJECTIONS.map(({ kind }) => kind)).size).toBe(9);
  expect(new Set(INJECTIONS.map(({ question: asked }) => asked)).size).toBe(INJECTIONS.length);
});

it("no passage or title leaves its fence, or makes another message", () => {
  for (const { order, text } of INJECTIONS) {
    const hits = [hit(text, order), quiet, hit(order)];
    const { messages } = buildPrompt([question], hits, () => 1, { place: "last" });
    expect(messages.map(({ role }) => role)).toEqual(["system", "user"]);
    expect(messages[1]).toEqual(question);
    const evidence = String(messages[0]!.content);
    const { outside, inside } = fenced(evidence);
    expect(outside).toBe(INSTRUCTION);
    expect(inside).toHaveLength(3);
    expect(inside[1]).toBe(quiet.text);
    expect(inside[0]).toHaveLength(text.length);
    // Each passage has the two tags of its own, and nothing that looks like one.
    expect(evidence.match(TAGS)).toHaveLength(6);
  }
});

it("a correction does not leave its fence either", () => {
  for (const { order } of INJECTIONS) {
    const corrections = [{ question: order, answer: order }];
    const { messages } = buildPrompt([question], [], () => 1, { place: "last", corrections });
    expect(messages.map(({ role }) => role)).toEqual(["system", "user"]);
    expect(String(messages[0]!.content).match(TAGS)).toHaveLength(2);
  }
});

const CONTROLS = [
  ...["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|start_header_id|>"],
  ...["<|end_header_id|>", "<|eot_id|>", "</s>", "<s>", "<|user|>", "<|assistant|>", "<|system|>"],
  ...["[INST]", "[/INST]", "<start_of_turn>", "<end_of_turn>", "<|end|>"],
];

it.each([
  ["SmolLM2", SMOLLM2],
  ["Qwen2.5", QWEN25],
  ["Qwen3", QWEN3],
  ["Llama 3", LLAMA3],
  ["Zephyr", ZEPHYR],
  ["none", null],
])("a generator's prompt has an inert passage's control tokens: %s", (_, source) => {
  const special = { "tokenizer.ggml.bos_token_id": 259, "tokenizer.ggml.eos_token_id": 263 };
  const metadata = new Map(toyBpe({ pre: "qwen2", controls: CONTROLS, more: special }));
  if (source !== null) metadata.set("tokenizer.chat_template", source);
  const tokenizer = loadTokenizer(metadata);
  const template = ChatTemplate.from(metadata, tokenizer);
  const decoder = { tokenizer, template, context_length: 100_000 } as Decoder;
  const controlsOf = (text: string) => {
    const hits = [{ title: text, text }, quiet];
    const call = { messages: [question], hits, parameters: {} };
    const { ids, passages } = buildIds(decoder, call as unknown as Parameters<typeof buildIds>[1]);
    expect(passages).toBe(2);
    return ids.filter((id) => tokenizer.controls.has(id));
  };
  const wanted = controlsOf("It opens at nine.");
  expect(wanted.length).toBeGreaterThan(0);
  for (const { text } of INJECTIONS) expect(controlsOf(text)).toEqual(wanted);
});

it("whatever an answer repeats, its citations are of passages there, in their words", async () => {
  const hits = INJECTIONS.slice(0, 5).map(({ text }) => hit(text));
  for (const { order } of INJECTIONS) {
    const marks: number[] = [];
    for (const { mark, quote } of await citeMarks(`${order} [2] [7] [1]`, hits)) {
      expect(hits[mark - 1]!.text).toContain(quote);
      expect(quote).not.toBe("");
      marks.push(mark);
    }
    expect(new Set(marks).size).toBe(marks.length);
    expect(marks).toEqual(expect.arrayContaining([1, 2]));
    expect(Math.max(...marks)).toBeLessThanOrEqual(hits.length);
  }
});
