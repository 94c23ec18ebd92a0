/** The CPU time of the largest requests that the API takes, against what a request may have: more
 *  is ended by the platform in its midst. */
import { mulberry32 } from "../../eval/random.ts";
import {
  DOCUMENT_CHARS_MAX,
  EMBEDDING_INPUTS_MAX,
  QUERY_CHARS_MAX,
  RERANK_DEPTH_MAX,
  RERANK_DOCUMENTS_MAX,
} from "../../src/limits.ts";
import { BenchClient } from "../client.ts";
import type { BenchOptions } from "../main.ts";
import { cpuSeconds } from "./cpu-time.ts";
import { startBackend, startBrink } from "./processes.ts";

/** wrangler.toml's `limits.cpu_ms`, the most that Cloudflare gives
 *  (https://developers.cloudflare.com/workers/platform/limits/). */
const CPU_SECONDS_MAX = 300;
/** The encoder's 256 tokens have about a thousand characters, the reranker's four pieces 854. */
const TEXT_CHARS = 1_600;
const PIECES_CHARS = 5_000;
const NAMESPACE = "largest";

interface Largest {
  name: string;
  method: string;
  path: string;
  body: object;
}

/** Exits with 1 where one takes more than it may. `quick` has a tenth of each list. */
export async function run({ quick }: BenchOptions) {
  const backend = await startBackend();
  const brink = await startBrink(backend.url);
  const client = new BenchClient(brink.url.replace(/\/v1$/, ""));
  const results: { name: string; megabytes: number; seconds: number }[] = [];
  try {
    for (const one of largestRequests(quick ? 0.1 : 1)) {
      const body = JSON.stringify(one.body);
      const before = cpuSeconds(brink.owns);
      await client.send(one.method, one.path, body, "application/json");
      const seconds = cpuSeconds(brink.owns)! - before!;
      results.push({ name: one.name, megabytes: body.length / 1e6, seconds });
      console.log(
        `${one.name.padEnd(52)} ${(body.length / 1e6).toFixed(1)} MB  ` +
          `${seconds.toFixed(1)} s of CPU time, bound ${CPU_SECONDS_MAX}`,
      );
      if (seconds > CPU_SECONDS_MAX) process.exitCode = 1;
    }
  } finally {
    client.close();
    await brink.stop();
    await backend.stop();
  }
  return results;
}

function largestRequests(share: number): Largest[] {
  const random = mulberry32(11);
  const text = (chars: number) => {
    let out = "";
    while (out.length < chars) out += `${WORDS[Math.floor(random() * WORDS.length)]} `;
    return out.slice(0, chars - 1).trimEnd();
  };
  const texts = (count: number, chars: number) =>
    Array.from({ length: Math.ceil(count * share) }, () => text(chars));
  const question = text(QUERY_CHARS_MAX);
  const chat = { messages: [{ role: "user", content: question }], model: "edge" };
  const memory = { namespace: NAMESPACE };
  const documents = (count: number) =>
    texts(count, DOCUMENT_CHARS_MAX).map((one, i) => ({ id: `${count}-${i}`, text: one }));
  const store = `/admin/namespaces/${NAMESPACE}/documents`;
  const rerank = "/v1/rerank";
  return [
    { name: "a namespace", method: "PUT", path: `/admin/namespaces/${NAMESPACE}`, body: {} },
    {
      ...{ name: "the longest document", method: "POST", path: store },
      body: { documents: documents(1) },
    },
    {
      ...{ name: "16 of them in a call", method: "POST", path: store },
      body: { documents: documents(16) },
    },
    {
      ...{ name: "256 texts to embed", method: "POST", path: "/v1/embeddings" },
      body: { model: ENCODER, input: texts(EMBEDDING_INPUTS_MAX, TEXT_CHARS) },
    },
    {
      ...{ name: "1,000 documents by the encoder", method: "POST", path: rerank },
      body: { model: ENCODER, query: question, documents: texts(RERANK_DOCUMENTS_MAX, TEXT_CHARS) },
    },
    {
      ...{ name: "1,000 documents by the reranker", method: "POST", path: rerank },
      body: { query: text(300), documents: texts(RERANK_DOCUMENTS_MAX, PIECES_CHARS) },
    },
    {
      ...{
        name: "a search of which 50 hits are reranked",
        method: "POST",
        path: "/v1/memory/search",
      },
      body: {
        ...{ namespace: NAMESPACE, query: question, k: RERANK_DEPTH_MAX },
        rerank: { depth: RERANK_DEPTH_MAX },
      },
    },
    {
      ...{ name: "the longest question to the edge", method: "POST", path: "/v1/chat/completions" },
      body: { ...chat, memory },
    },
  ];
}

const ENCODER = "all-MiniLM-L6-v2";
const WORDS =
  `harbour ferry lighthouse pilot tide anchor quay timetable captain fare island weather signal
  engine departure cargo crossing winter company passenger deck report licence insurance`.split(
    /\s+/,
  );
