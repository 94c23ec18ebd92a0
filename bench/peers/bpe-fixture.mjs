/** Makes test/model/bpe.fixture.json: the ids that llama.cpp, through node-llama-cpp, gives for
 *  10,000 strings on the vocabulary of gpt-2 with each pre-tokenizer in turn: what a file says in
 *  tokenizer.ggml.pre is changed, the merges stay. Run:
 *  npm install --no-save --ignore-scripts --prefix bench/peers node-llama-cpp@3.22.1
 *  node bench/peers/bpe-fixture.mjs ../shared/data/tokenizers/gguf-vocab/ggml-vocab-gpt-2.gguf
 *  What is hashed is as in spm-fixture.mjs. */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getLlama } from "node-llama-cpp";
import { bpeStrings } from "../../test/model/bpe-strings.ts";

const BLOCK = 100;
const PRE_TOKENIZERS = ["gpt-2", "smollm", "llama-bpe", "qwen2"];
const file = process.argv[2];
if (!file) throw new Error("name the GGUF file of gpt-2's vocabulary");

const sha256 = (lines) => createHash("sha256").update(lines.join("")).digest("hex");

/** The file with another pre-tokenizer: it has no tensors, so that nothing after the key moves. */
function withPre(bytes, pre) {
  const key = Buffer.from("tokenizer.ggml.pre");
  const at = bytes.indexOf(key) + key.length + 4; // past the type of the value, string
  const length = Number(bytes.readBigUInt64LE(at));
  const value = Buffer.alloc(8 + pre.length);
  value.writeBigUInt64LE(BigInt(pre.length));
  value.write(pre, 8);
  return Buffer.concat([bytes.subarray(0, at), value, bytes.subarray(at + 8 + length)]);
}

const strings = bpeStrings();
const llama = await getLlama({ gpu: false, build: "never" });
const folder = mkdtempSync(join(tmpdir(), "bpe-fixture-"));
const fixture = {
  made_by: "bench/peers/bpe-fixture.mjs",
  llama_cpp: llama.llamaCppRelease.release,
  strings: strings.length,
  pre: {},
};
for (const pre of PRE_TOKENIZERS) {
  const modelPath = join(folder, `${pre}.gguf`);
  writeFileSync(modelPath, withPre(readFileSync(file), pre));
  const model = await llama.loadModel({ modelPath, gpuLayers: 0, vocabOnly: true });
  const encoded = strings.map((text) => Array.from(model.tokenize(text, false)));
  const lines = encoded.map((ids) => `${ids.join(" ")}\n`);
  const blocks = [];
  for (let at = 0; at < lines.length; at += BLOCK)
    blocks.push(sha256(lines.slice(at, at + BLOCK)).slice(0, 8));
  const tokens = encoded.reduce((sum, ids) => sum + ids.length, 0);
  fixture.pre[pre] = { tokens, sha256: sha256(lines), blocks };
}
rmSync(folder, { recursive: true });
const out = join(import.meta.dirname, "../../test/model/bpe.fixture.json");
writeFileSync(out, `${JSON.stringify(fixture, null, 2)}\n`);
process.exit(0); // the addon keeps the process alive
