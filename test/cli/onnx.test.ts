/** What the CLI makes of a folder with an ONNX model, before anything is sent. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Client } from "../../cli/client.ts";
import type { Values } from "../../cli/command.ts";
import { addOnnx } from "../../cli/onnx-add.ts";
import { findOnnx } from "../../cli/onnx-folder.ts";
import { manifestOf } from "../../cli/onnx-manifest.ts";
import { splitOnnx } from "../../src/onnx/onnx-file.ts";
import { tinyModel, tokenizerJson } from "../onnx/tiny-models.ts";
import { type FolderFiles, writeFolder } from "../support/model-folder.ts";

let root: string;
beforeEach(() => {
  root = join(mkdtempSync(join(tmpdir(), "brink-onnx-")), "bge-tiny");
});
afterEach(() => rmSync(dirname(root), { recursive: true, force: true }));

const write = (files: FolderFiles) => writeFolder(root, files);

async function derive(files: FolderFiles, values: Values = {}, at = root) {
  write({ "model.onnx": "", ...files });
  return manifestOf((await findOnnx(at))!, values);
}

const BERT = { architectures: ["BertModel"], model_type: "bert", max_position_embeddings: 512 };
const POOLING = {
  "1_Pooling/config.json": { word_embedding_dimension: 8, pooling_mode_cls_token: true },
};
const modules = (...types: string[]) =>
  types.map((type, idx) => ({ idx, type: `sentence_transformers.models.${type}` }));
const classifier = (rest: object) => ({
  "config.json": { ...BERT, architectures: ["BertForSequenceClassification"], ...rest },
});

describe("the manifest of an export", () => {
  it("of sentence-transformers has its pooling, its length and whether it normalizes", async () => {
    const files = {
      "config.json": BERT,
      "tokenizer_config.json": { model_max_length: 1e30 },
      "sentence_bert_config.json": { max_seq_length: 256 },
      ...POOLING,
      "modules.json": modules("Transformer", "Pooling", "Normalize"),
    };
    expect(await derive(files)).toMatchObject({
      kind: "encoder",
      max_tokens: 256,
      pooling: "cls",
      normalize: true,
      labels: [],
    });
    const bare = { ...files, "modules.json": modules("Transformer", "Pooling") };
    expect(await derive(bare)).toMatchObject({ normalize: false });
  });

  it("with one label is a reranker's, with more a classifier's by id, not by order", async () => {
    expect(await derive(classifier({ id2label: { 0: "LABEL_0" } }))).toMatchObject({
      kind: "reranker",
      max_tokens: 512,
      labels: [],
    });
    const labels = Object.fromEntries([10, 2, 1, 0, 3, 4, 5, 6, 7, 8, 9].map((i) => [i, `l${i}`]));
    const problem_type = "multi_label_classification";
    const many = await derive(classifier({ id2label: labels, problem_type }));
    expect(many).toMatchObject({ kind: "classifier", activation: "sigmoid" });
    expect(many.labels).toEqual(Array.from({ length: 11 }, (_, i) => `l${i}`));
    expect(await derive(classifier({}))).toMatchObject({
      labels: ["LABEL_0", "LABEL_1"],
      activation: "softmax",
    });
  });

  it("of RoBERTa has as many tokens as positions behind the padding's", async () => {
    const roberta = { model_type: "roberta", max_position_embeddings: 514, pad_token_id: 1 };
    const manifest = await derive(classifier({ ...roberta, num_labels: 1 }));
    expect(manifest).toMatchObject({ kind: "reranker", max_tokens: 512 });
  });

  it("gives way to flags, and so does a manifest.json", async () => {
    const values = { kind: "encoder", pooling: "last", "max-tokens": "64" };
    const expected = { kind: "encoder", pooling: "last", max_tokens: 64 };
    expect(await derive({ "config.json": BERT, ...POOLING }, values)).toMatchObject(expected);
    const own = { kind: "encoder", max_tokens: 100, normalize: false };
    const manifest = await derive({ "manifest.json": own }, values);
    expect(manifest).toMatchObject({ ...expected, normalize: false });
  });

  it("is read from the folder above onnx/ as well", async () => {
    write({ "onnx/model_quantized.onnx": "", "config.json": BERT, ...POOLING });
    const folder = (await findOnnx(join(root, "onnx/model_quantized.onnx")))!;
    expect(folder.name).toBe("bge-tiny");
    expect(await manifestOf(folder, {})).toMatchObject({ pooling: "cls", max_tokens: 512 });
  });

  it.each<[string, FolderFiles, RegExp]>([
    ["nothing at all", {}, /--kind encoder\|reranker\|classifier and --max-tokens N/],
    ["no pooling", { "config.json": BERT }, /do not tell everything: add --pooling mean\|cls/],
    [
      "a pooling that Brink has not",
      { "config.json": BERT, "1_Pooling/config.json": { pooling_mode_max_tokens: true } },
      /--pooling/,
    ],
    [
      "a reader of questions",
      { "config.json": { ...BERT, architectures: ["BertForQuestionAnswering"] } },
      /--kind/,
    ],
    [
      "a layer behind the pooling",
      { "config.json": BERT, ...POOLING, "modules.json": modules("Transformer", "Dense") },
      /a layer Dense, which Brink does not apply/,
    ],
    ["a broken config", { "config.json": "{" }, /config\.json is not JSON/],
    ["a strange config", { "config.json": { architectures: 1 } }, /config\.json: architectures/],
    ["a manifest without a length", { "manifest.json": { kind: "reranker" } }, /max_tokens/],
  ])("%s: what is missing is said", async (_, files, message) => {
    await expect(derive(files)).rejects.toThrow(message);
  });

  it("a flag that says nothing known is refused", async () => {
    const files = { "config.json": BERT, ...POOLING };
    await expect(derive(files, { pooling: "max" })).rejects.toThrow("--pooling is one of mean");
    await expect(derive(files, { "max-tokens": "many" })).rejects.toThrow("max_tokens");
  });
});

describe("adding", () => {
  const manifest = { kind: "encoder", max_tokens: 64 };
  const whole = () => ({
    "tokenizer.json": tokenizerJson(),
    "manifest.json": manifest,
    "model.onnx": tinyModel(1, 0),
  });
  /** Answers as a service does that keeps 5,000 bytes a part and has the second already. */
  function fakeClient() {
    const calls: [string, string, unknown][] = [];
    const call = async (...args: [string, string, unknown?]) => {
      calls.push([args[0], args[1], args[2]]);
      return { upload_id: "u", part_bytes: 5_000, parts: [2] };
    };
    return { client: { call } as Client, calls };
  }
  async function add(files: FolderFiles) {
    write(files);
    const { client, calls } = fakeClient();
    const folder = (await findOnnx(root))!;
    const result = await addOnnx(client, folder, "bge", { json: true });
    return { result, calls };
  }

  it("sends the tokenizer and behind it the graph, without the parts that are there", async () => {
    const { calls, result } = await add(whole());
    const content = Buffer.concat([Buffer.from(tokenizerJson()), tinyModel(1, 0)]);
    const tokenizer_bytes = Buffer.byteLength(tokenizerJson());
    const [begun, ...rest] = calls;
    expect(begun![2]).toMatchObject({ bytes: content.length, onnx: { tokenizer_bytes } });
    expect(begun![2]).toMatchObject({ onnx: { manifest } });
    expect(rest.at(-1)![1]).toBe("/admin/models/bge/uploads/u/complete");
    for (const [, path, bytes] of rest.slice(0, -1)) {
      const part = Number(path.split("/").at(-1));
      expect(part).not.toBe(2);
      const expected = content.subarray((part - 1) * 5_000, part * 5_000);
      expect(expected.equals(bytes as Uint8Array)).toBe(true);
    }
    expect(rest.length).toBe(Math.ceil(content.length / 5_000));
    expect(result.graph).toBe(join(root, "model.onnx"));
  });

  it("takes the quantized graph where the other does not fit", async () => {
    const files = { ...whole(), "onnx/model_quantized.onnx": tinyModel(1, 0) };
    const { result } = await add({ ...files, "model.onnx": new Uint8Array(60e6) });
    expect(result.graph).toBe(join(root, "onnx/model_quantized.onnx"));
  });

  it.each<[string, () => FolderFiles, RegExp]>([
    ["no graph", () => ({ "tokenizer.json": "{}" }), /has none of model\.onnx, onnx\/model\.onnx/],
    ["no tokenizer", () => ({ "model.onnx": tinyModel(1, 0) }), /has no tokenizer\.json/],
    [
      "a Unigram tokenizer",
      () => ({ ...whole(), "tokenizer.json": { model: { type: "Unigram" } } }),
      /its model is "Unigram"; Brink reads/,
    ],
    [
      "weights in another file",
      () => ({ ...whole(), "model.onnx": splitOnnx(tinyModel(1, 0)).graph }),
      /its weights are in another file/,
    ],
    ["no ONNX", () => ({ ...whole(), "model.onnx": "hello, world" }), /ONNX file/],
    [
      "too great a graph",
      () => ({ ...whole(), "model.onnx": new Uint8Array(60e6) }),
      /cannot fit: .* weights 1\.35 x 60\.0/,
    ],
  ])("%s is refused before anything is sent", async (_, files, message) => {
    await expect(add(files())).rejects.toThrow(message);
  });
});
