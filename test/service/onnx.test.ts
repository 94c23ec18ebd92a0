/** ONNX models in workerd, through the main Worker's service binding: their numbers are those of
 *  onnxruntime-web on Node over the same file, and bad models harm none but themselves. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { splitOnnx } from "../../src/onnx/onnx-file.ts";
import { PairTokenizer } from "../../src/onnx/tokenizer-json.ts";
import {
  DIM,
  MAX_TOKENS,
  meanOf,
  reference,
  tinyModel,
  tokenizerJson,
} from "../onnx/tiny-models.ts";
import { brink } from "../support/brink-cli.ts";
import { type BucketFile, fillBucket } from "../support/local-bucket.ts";
import { type FolderFiles, writeFolder } from "../support/model-folder.ts";
import { START_MS_MAX, startTestService, type TestService } from "../support/running-service.ts";

const ENCODER = tinyModel(1, 0);
const RERANKER = tinyModel(2, 1);
const CLASSIFIER = tinyModel(3, 3);
const LABELS = ["bill", "letter", "other"];
const QUERY = "when does the lease end?";
const TEXTS = [
  "The lease ends on 3 May.",
  "The ferry leaves the harbour at dawn.",
  "quick brown foxes ".repeat(60),
  "a",
];

interface Files {
  manifest: string;
  model: Uint8Array;
  tokenizer?: string;
}

const manifest = (fields: object) => JSON.stringify({ max_tokens: MAX_TOKENS, ...fields });

const MODELS: Record<string, Files> = {
  "tiny-encoder": { manifest: manifest({ kind: "encoder" }), model: ENCODER },
  "tiny-reranker": { manifest: manifest({ kind: "reranker" }), model: RERANKER },
  "tiny-classifier": {
    manifest: manifest({ kind: "classifier", labels: LABELS }),
    model: CLASSIFIER,
  },
  "tiny-labels": {
    manifest: manifest({ kind: "classifier", labels: LABELS, activation: "sigmoid" }),
    model: CLASSIFIER,
  },
  garbage: { manifest: manifest({ kind: "encoder" }), model: new Uint8Array(4096).fill(0xa5) },
  "garbled-graph": { manifest: manifest({ kind: "encoder" }), model: garbled() },
  "weights-elsewhere": { manifest: manifest({ kind: "encoder" }), model: splitOnnx(ENCODER).graph },
  "wrong-inputs": {
    manifest: manifest({ kind: "encoder", inputs: { ids: "tokens" } }),
    model: ENCODER,
  },
  "wrong-pooling": { manifest: manifest({ kind: "encoder", pooling: "none" }), model: ENCODER },
  "wrong-labels": { manifest: manifest({ kind: "classifier", labels: ["a"] }), model: CLASSIFIER },
  "too-many-tokens": {
    manifest: JSON.stringify({ kind: "encoder", max_tokens: 200 }),
    model: ENCODER,
  },
  "too-long": { manifest: JSON.stringify({ kind: "encoder", max_tokens: 4096 }), model: ENCODER },
  "too-large": { manifest: manifest({ kind: "encoder" }), model: new Uint8Array(50e6) },
  unigram: {
    manifest: manifest({ kind: "encoder" }),
    model: ENCODER,
    tokenizer: JSON.stringify({ model: { type: "Unigram" } }),
  },
  "bad-manifest": { manifest: '{"kind": "encoder"}', model: ENCODER },
};

/** The encoder with a node's operator that does not exist. */
function garbled(): Uint8Array {
  const bytes = Uint8Array.from(ENCODER); // a Buffer, whose slice would be the same bytes
  const at = Buffer.from(bytes).indexOf("Softmax");
  bytes.set(Buffer.from("Softmix"), at);
  return bytes;
}

/** Puts every model where the service will find it, past the checks of an upload. */
function fill(state: string): Promise<void> {
  const files: BucketFile[] = [];
  for (const [name, { manifest, model, tokenizer = tokenizerJson() }] of Object.entries(MODELS)) {
    const content = Buffer.concat([Buffer.from(tokenizer), model]);
    const entry = {
      kind: JSON.parse(manifest).kind,
      file: `of-${name}`,
      bytes: content.length,
      sha256: "0".repeat(64),
      architecture: null,
      tokenizer_bytes: Buffer.byteLength(tokenizer),
      created_at: 0,
    };
    const customMetadata = { entry: JSON.stringify(entry) };
    files.push({ key: `files/of-${name}`, content });
    files.push({ key: `models/${name}`, content: manifest, customMetadata });
  }
  return fillBucket(state, files);
}

let service: TestService;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "brink-onnx-"));
  service = await startTestService({}, { onnx: true, prepare: fill });
}, START_MS_MAX);
afterAll(async () => {
  await service?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const tokenizer = PairTokenizer.parse(tokenizerJson());
const expectClose = (actual: ArrayLike<number>, expected: ArrayLike<number>) => {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++)
    expect(Math.abs(actual[i]! - expected[i]!)).toBeLessThan(1e-5);
};
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const embed = (model: string, input: string | string[]) =>
  service.call("POST", "/v1/embeddings", { model, input });
const rerank = (body: object) =>
  service.call("POST", "/v1/rerank", { query: QUERY, documents: TEXTS, ...body });

/** An encoder's vectors of the texts, by onnxruntime-web on Node. */
async function expectedVectors(texts: string[], encoder = ENCODER): Promise<Float32Array[]> {
  const run = await reference(encoder);
  const vectors: Float32Array[] = [];
  for (const text of texts) vectors.push(meanOf(await run(tokenizer.encode(text, MAX_TOKENS))));
  return vectors;
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, x, i) => sum + x * b[i]!, 0);

describe("ONNX models", () => {
  it("are listed with their kinds", async () => {
    const { body } = await service.call("GET", "/v1/models");
    const kinds = new Map(
      body.data.map(({ id, kind }: { id: string; kind: string }) => [id, kind]),
    );
    expect(kinds.get("tiny-encoder")).toBe("encoder");
    expect(kinds.get("tiny-reranker")).toBe("reranker");
    expect(kinds.get("tiny-classifier")).toBe("classifier");
    expect(kinds.get("all-MiniLM-L6-v2")).toBe("encoder");
  });

  it("embed as onnxruntime-web on Node does", async () => {
    const expected = await expectedVectors(TEXTS);
    const { data, model, usage } = await service.openai.embeddings.create({
      model: "tiny-encoder",
      input: TEXTS,
    });
    expect(model).toBe("tiny-encoder");
    const tokens = TEXTS.reduce(
      (sum, text) => sum + tokenizer.encode(text, MAX_TOKENS).ids.length,
      0,
    );
    expect(usage.total_tokens).toBe(tokens);
    for (const [i, { embedding }] of data.entries()) expectClose(embedding, expected[i]!);
    const alone = await embed("tiny-encoder", TEXTS[1]!);
    expect(alone.body.data[0].embedding).toHaveLength(DIM);
    expectClose(alone.body.data[0].embedding, expected[1]!);
  });

  it("rerank by a cross-encoder's logits through the sigmoid, best first", async () => {
    const run = await reference(RERANKER);
    const expected: number[] = [];
    for (const text of TEXTS)
      expected.push(sigmoid((await run(tokenizer.encodePair(QUERY, text, MAX_TOKENS)))[0]!));
    const { status, body } = await rerank({ model: "tiny-reranker", return_documents: true });
    expect(status).toBe(200);
    expect(body.model).toBe("tiny-reranker");
    expect(body.results).toHaveLength(TEXTS.length);
    const scores = body.results.map((r: { relevance_score: number }) => r.relevance_score);
    expectClose(
      scores,
      [...expected].sort((a, b) => b - a),
    );
    for (const { index, relevance_score, document } of body.results) {
      expectClose([relevance_score], [expected[index]!]);
      expect(document).toEqual({ text: TEXTS[index] });
    }
    const top = await rerank({ model: "tiny-reranker", top_n: 2 });
    expect(top.body.results).toEqual(
      body.results.slice(0, 2).map(({ index, relevance_score }: Record<string, unknown>) => {
        return { index, relevance_score };
      }),
    );
  });

  it("rerank by an encoder's cosine", async () => {
    const [asked, ...vectors] = await expectedVectors([QUERY, ...TEXTS]);
    const { body } = await rerank({
      model: "tiny-encoder",
      documents: TEXTS.map((text) => ({ text })),
    });
    expect(body.results).toHaveLength(TEXTS.length);
    for (const { index, relevance_score } of body.results)
      expectClose([relevance_score], [dot(asked!, vectors[index]!)]);
  });

  it("classify by softmax, or by sigmoid where labels exclude none", async () => {
    const run = await reference(CLASSIFIER);
    const logits = await run(tokenizer.encode(TEXTS[0]!, MAX_TOKENS));
    const scoresOf = (row: { predictions: { label: string; score: number }[] }) => {
      expect(row.predictions.map(({ label }) => label)).toEqual(LABELS);
      return row.predictions.map(({ score }) => score);
    };
    const classify = (model: string) =>
      service.call("POST", "/v1/classify", { model, input: TEXTS });
    const one = (await classify("tiny-classifier")).body;
    expect(one.data).toHaveLength(TEXTS.length);
    const exps = Array.from(logits, Math.exp);
    const sum = exps.reduce((a, b) => a + b);
    const softmax = exps.map((x) => x / sum);
    expectClose(scoresOf(one.data[0]), softmax);
    expect(one.data[0].prediction).toBe(LABELS[softmax.indexOf(Math.max(...softmax))]);
    const each = (await classify("tiny-labels")).body;
    expectClose(scoresOf(each.data[0]), Array.from(logits, sigmoid));
  });

  it("of another kind than the endpoint needs are not found there", async () => {
    for (const reply of [
      await embed("tiny-reranker", "a"),
      await rerank({ model: "tiny-classifier" }),
      await service.call("POST", "/v1/classify", { model: "tiny-encoder", input: "a" }),
      await embed("nowhere", "a"),
      await embed("../tiny-encoder", "a"),
    ]) {
      expect(reply.status).toBe(404);
      expect(reply.body.error).toMatchObject({ code: "model_not_found", param: "model" });
    }
  });

  it.each([
    ["garbage", "invalid_model_file", /begins no field|is cut off|no number ends|no graph/],
    ["garbled-graph", "invalid_model_file", /Softmix/],
    ["weights-elsewhere", "invalid_model_file", /its weights are in another file/],
    ["wrong-inputs", "invalid_model_file", /it takes input_ids/],
    ["wrong-pooling", "invalid_model_file", /pooling none takes \[1,32\] .* is \[1,\d+,32\]/],
    ["too-many-tokens", "invalid_model_file", /onnxruntime: .*[bB]roadcast/],
    ["too-long", "model_too_large", /cannot fit: .*a run of 4096 tokens .* MB, of 124 MB/],
    ["too-large", "model_too_large", /weights 1.35 x 50.0 \+ the file while it is loaded 50.0/],
    ["unigram", "invalid_model_file", /its model is "Unigram"; Brink reads WordPiece/],
    ["bad-manifest", "invalid_model_file", /max_tokens/],
  ])("%s: %s, and the others go on", async (id, code, message) => {
    const reply = await embed(id, "e ".repeat(300));
    expect(reply.body.error).toMatchObject({ code });
    expect(reply.body.error.message).toMatch(message);
    const [expected] = await expectedVectors(["ferry"]);
    const { body } = await embed("tiny-encoder", "ferry");
    expectClose(body.data[0].embedding, expected!);
  });

  it("with other outputs than its labels is refused", async () => {
    const { body } = await service.call("POST", "/v1/classify", {
      model: "wrong-labels",
      input: "a",
    });
    expect(body.error).toMatchObject({ code: "invalid_model_file" });
  });
});

it("by the default encoder's id, documents are ranked by its cosine", async () => {
  const { status, body } = await rerank({ model: "all-MiniLM-L6-v2" });
  expect(status).toBe(200);
  expect(body.model).toBe("all-MiniLM-L6-v2");
  expect(body.results[0].index).toBe(0);
  const { body: embedded } = await embed("all-MiniLM-L6-v2", [QUERY, ...TEXTS]);
  const [asked, ...vectors] = embedded.data.map((row: { embedding: number[] }) => row.embedding);
  for (const { index, relevance_score } of body.results)
    expectClose([relevance_score], [dot(asked, vectors[index])]);
  expect(body.usage.total_tokens).toBe(embedded.usage.total_tokens);
});

describe("npx brink models add", () => {
  /** A folder of that name with these files, a tokenizer among them. */
  function write(name: string, files: FolderFiles): string {
    writeFolder(join(folder, name), { "tokenizer.json": tokenizerJson(), ...files });
    return join(folder, name);
  }
  const run = (...args: string[]) => brink(service.url, "models", ...args);
  const stored = async () => {
    const { body } = await service.call("GET", "/admin/models");
    return new Map(body.models.map((model: { name: string }) => [model.name, model]));
  };
  const ENCODER_2 = tinyModel(5, 0);

  it("a folder of three files becomes an encoder, and another takes its place", async () => {
    const manifest = { kind: "encoder", max_tokens: MAX_TOKENS };
    const path = write("ferries", { "model.onnx": ENCODER, "manifest.json": manifest });
    const first = JSON.parse(await run("add", path, "--json"));
    expect(first.model).toMatchObject({ name: "ferries", kind: "encoder", architecture: null });
    expect(first.manifest).toMatchObject({ pooling: "mean", normalize: true });
    const other = write("other", { "model.onnx": ENCODER_2, "manifest.json": manifest });
    await run("add", join(other, "model.onnx"), "--name", "ferries");
    const { body } = await embed("ferries", TEXTS);
    const expected = await expectedVectors(TEXTS, ENCODER_2);
    for (const [i, { embedding }] of body.data.entries()) expectClose(embedding, expected[i]!);
  });

  it("a Hugging Face export becomes a reranker or a classifier", async () => {
    const architectures = ["BertForSequenceClassification"];
    const config = { architectures, max_position_embeddings: MAX_TOKENS };
    const id2label = { 0: "bill", 1: "letter", 2: "other" };
    const one = { ...config, id2label: { 0: "LABEL_0" } };
    const reranker = write("marco", { "onnx/model.onnx": RERANKER, "config.json": one });
    const classifier = write("mail", {
      "onnx/model_quantized.onnx": CLASSIFIER,
      "config.json": { ...config, id2label },
    });
    expect(await run("add", reranker)).toMatch(/reranker, 64 tokens\nstored marco/);
    await run("add", classifier);
    const { body } = await rerank({ model: "marco" });
    const by = await rerank({ model: "tiny-reranker" });
    expect(body.results).toEqual(by.body.results);
    const { body: classified } = await service.call("POST", "/v1/classify", {
      model: "mail",
      input: "a",
    });
    const labels = classified.data[0].predictions.map(({ label }: { label: string }) => label);
    expect(labels).toEqual(LABELS);
    const table = await run("list");
    expect(table).toMatch(/^marco +reranker +onnx/m);
    expect(table).toMatch(/^mail +classifier +onnx/m);
  });

  it("what is removed is gone from every list", async () => {
    const manifest = { kind: "encoder", max_tokens: MAX_TOKENS };
    await run("add", write("brief", { "model.onnx": ENCODER, "manifest.json": manifest }));
    expect((await stored()).has("brief")).toBe(true);
    await run("remove", "brief");
    expect((await stored()).has("brief")).toBe(false);
    const { body } = await service.call("GET", "/v1/models");
    expect(body.data.map(({ id }: { id: string }) => id)).not.toContain("brief");
    expect((await embed("brief", "a")).body.error.code).toBe("model_not_found");
  });

  it.each<[string, object, RegExp]>([
    [
      "labels",
      { kind: "classifier", labels: ["a", "b"] },
      /is \[1,32|is \[1,64,32\], a classifier/,
    ],
    ["poolings", { kind: "encoder", pooling: "none" }, /pooling none takes \[1,32\]/],
    ["lengths", { kind: "encoder", max_tokens: 200 }, /onnxruntime: .*[bB]roadcast/],
    ["inputs", { kind: "encoder", inputs: { ids: "tokens" } }, /does not name/],
  ])("wrong %s show when the service runs the model, which is dropped", async (_, wrong, why) => {
    const manifest = { max_tokens: MAX_TOKENS, ...wrong };
    const path = write("wrong", { "model.onnx": ENCODER, "manifest.json": manifest });
    await expect(run("add", path)).rejects.toThrow(why);
    expect((await stored()).has("wrong")).toBe(false);
    const [expected] = await expectedVectors(["ferry"]);
    expectClose((await embed("tiny-encoder", "ferry")).body.data[0].embedding, expected!);
  });
});
