/** Makes test/model/spm.fixture.json: the ids that llama.cpp, through node-llama-cpp, gives for the
 *  10,000 strings of test/model/spm-strings.ts on the vocabulary of stories260k. Run:
 *  npm install --no-save --ignore-scripts --prefix bench/peers node-llama-cpp@3.22.1
 *  node bench/peers/spm-fixture.mjs ../shared/data/weights/stories260k-f32.gguf
 *  Too many ids to keep, so it keeps hashes: one SHA-256 over every id, and the first 8 hex digits
 *  of one for each block of 100 strings, which locate a mismatch. What is hashed for a string is
 *  its ids, space-separated, and a newline; once with control tokens as text, once as tokens. */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { getLlama } from "node-llama-cpp";
import { spmStrings } from "../../test/model/spm-strings.ts";

const BLOCK = 100;
const file = process.argv[2];
if (!file) throw new Error("name the GGUF file of the vocabulary");

const llama = await getLlama({ gpu: false, build: "never" });
const model = await llama.loadModel({ modelPath: resolve(file), gpuLayers: 0 });
const strings = spmStrings();
const sha256 = (lines) => createHash("sha256").update(lines.join("")).digest("hex");

/** The hashes of one way to read control tokens. */
function hashesOf(special) {
  const encoded = strings.map((text) => Array.from(model.tokenize(text, special)));
  const lines = encoded.map((ids) => `${ids.join(" ")}\n`);
  const blocks = [];
  for (let at = 0; at < lines.length; at += BLOCK)
    blocks.push(sha256(lines.slice(at, at + BLOCK)).slice(0, 8));
  const tokens = encoded.reduce((sum, ids) => sum + ids.length, 0);
  return { tokens, sha256: sha256(lines), blocks };
}

const fixture = {
  made_by: "bench/peers/spm-fixture.mjs",
  llama_cpp: llama.llamaCppRelease.release,
  strings: strings.length,
  text: hashesOf(false),
  special: hashesOf(true),
};
const out = join(import.meta.dirname, "../../test/model/spm.fixture.json");
writeFileSync(out, `${JSON.stringify(fixture, null, 2)}\n`);
process.exit(0); // the addon keeps the process alive
