/** The built Workers with a generator: a model added by the CLI, asked as its users ask it. The
 *  model is scripted, so what it says is nonsense, but the same nonsense every time. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decoderFile } from "../model/tiny-decoder.ts";
import {
  chat,
  fill,
  START_MS_MAX,
  startTestService,
  type TestService,
} from "../support/running-service.ts";

const CONTEXT = 1_024;
let service: TestService;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "brink-models-"));
  service = await startTestService({
    BRINK_GENERATOR_MODEL: "tiny",
    BRINK_GENERATOR_CONTEXT: `${CONTEXT}`,
  });
  await fill(service, "notes", [
    { id: "ferry", title: "Ferry", text: "The ferry to the island leaves at 07:40 and 16:10." },
  ]);
  // What is asked twice here is to be answered twice.
  await service.call("PUT", "/admin/cache", { exact: "off" });
  writeFileSync(join(folder, "tiny.gguf"), decoderFile({ type: "F32" }));
  await brink("models", "add", join(folder, "tiny.gguf"));
}, START_MS_MAX);
afterAll(async () => {
  await service?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function start(args: string[], url = service.url): ChildProcess {
  const script = join(import.meta.dirname, "../../bin/brink.js");
  const env = { ...process.env, BRINK_URL: url, XDG_CACHE_HOME: join(folder, "cache") };
  return spawn(process.execPath, [script, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
}

/** Runs the CLI to its end; what it prints. Throws what it says when it fails. */
async function run(...args: string[]): Promise<{ out: string; said: string }> {
  const child = start(args);
  let [out, said] = ["", ""];
  child.stdout!.on("data", (text) => {
    out += text;
  });
  child.stderr!.on("data", (text) => {
    said += text;
  });
  const code = await new Promise((done) => child.once("close", done));
  if (code !== 0) throw new Error(said);
  return { out, said };
}

const brink = async (...args: string[]) => (await run(...args)).out;

const QUESTION = [{ role: "user" as const, content: "Tell me of the sea." }];
/** Keeps the model from ending its answer, so that lengths are known. */
const NO_END = { logit_bias: { 2: -100 } };

function ask(rest: object = {}) {
  const greedy = { temperature: 0, max_tokens: 24, ...NO_END };
  return chat(service, { model: "tiny", messages: QUESTION, memory: false, ...greedy, ...rest });
}

describe("npx brink models", () => {
  it("lists what was added, quantized", async () => {
    const { models } = JSON.parse(await brink("models", "list", "--json"));
    expect(models).toMatchObject([{ name: "tiny", architecture: "llama" }]);
    expect(models[0].bytes).toBe(decoderFile({ type: "Q8_0" }).length);
  });

  it("add that was killed on its way converts and sends only what is missing", async () => {
    writeFileSync(join(folder, "wide.gguf"), decoderFile({ type: "F32", vocabFiller: 95_000 }));
    const proxy = await startProxy();
    const first = start(["models", "add", join(folder, "wide.gguf"), "--type", "q8_0"], proxy.url);
    await proxy.held; // the first part is stored, the second under way
    first.kill("SIGKILL");
    expect(proxy.parts).toEqual(["1", "2"]);
    await proxy.close();
    const { out, said } = await run("models", "add", join(folder, "wide.gguf"), "--type", "q8_0");
    expect(said).toContain("going on with an upload: 1 parts are there");
    expect(said).not.toContain("convert");
    expect(out).toMatch(/token_embd.weight +F32 -> Q8_0 +rmse 0\.\d+ %/);
    expect(await brink("models", "list")).toContain("wide");
    // What was kept for the next call goes once the model is stored.
    expect(existsSync(join(folder, "cache/brink/wide-q8_0.gguf"))).toBe(false);
  }, 60_000);
});

/** Passes everything on to the service but the second part, which it holds for ever. */
async function startProxy() {
  const parts: string[] = [];
  const held = Promise.withResolvers<void>();
  const server: Server = createServer(async (request, response) => {
    const part = /parts\/(\d+)$/.exec(request.url!)?.[1];
    if (part !== undefined) parts.push(part);
    const body = await readBody(request);
    if (part === "2") return held.resolve();
    const { method, headers } = request;
    const { authorization, "content-type": type } = headers;
    const answer = await fetch(service.url + request.url, {
      method,
      headers: { authorization: authorization!, ...(type ? { "content-type": type } : {}) },
      body: body.length > 0 ? (body as unknown as BodyInit) : undefined,
    });
    const trace = answer.headers.get("x-brink-trace")!;
    response.writeHead(answer.status, { "x-brink-trace": trace }).end(await answer.text());
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const close = async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  };
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, parts, held: held.promise, close };
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe("answers", () => {
  it("a whole answer and a streamed one are the same, with the same usage", async () => {
    const whole = await ask();
    expect(whole.choices[0].finish_reason).toBe("length");
    expect(whole.usage).toMatchObject({ completion_tokens: 24 });
    expect(whole.brink).toMatchObject({ route: "edge", engine: "generator:tiny" });
    const stream = await ask({ stream: true, stream_options: { include_usage: true } });
    // biome-ignore lint/suspicious/noExplicitAny: `brink` is not in the client's types
    const chunks: any[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
    expect(text).toBe(whole.choices[0].message.content);
    expect(chunks.length).toBeGreaterThan(6);
    expect(chunks.at(-1).usage.total_tokens).toBe(whole.usage.total_tokens);
    expect(chunks.at(-2).brink.engine).toBe("generator:tiny");
  });

  it("a prompt asked before is cached but for its last token", async () => {
    await ask({ messages: [{ role: "user", content: "Something else." }] });
    const first = await ask();
    const second = await ask();
    expect(second.choices).toEqual(first.choices);
    expect(second.usage.cached_tokens).toBe(second.usage.prompt_tokens - 1);
    expect(second.usage.prompt_tokens_details.cached_tokens).toBe(second.usage.cached_tokens);
    expect(first.usage.cached_tokens).toBeLessThan(second.usage.cached_tokens);
  });

  it("two choices with log probabilities come apart, and a seed brings them back", async () => {
    const options = { n: 2, logprobs: true, top_logprobs: 3, temperature: 1, seed: 5 };
    const [a, b] = [await ask(options), await ask(options)];
    expect(a.choices.map(({ index }: { index: number }) => index)).toEqual([0, 1]);
    expect(a.choices).toEqual(b.choices);
    expect(a.choices[0].message.content).not.toBe(a.choices[1].message.content);
    const { content } = a.choices[1].logprobs;
    const bytes = content.flatMap((token: { bytes: number[] }) => token.bytes);
    expect(Buffer.from(bytes).toString()).toBe(a.choices[1].message.content);
    for (const { logprob, top_logprobs } of content) {
      expect(logprob).toBeLessThanOrEqual(0);
      expect(top_logprobs).toHaveLength(3);
    }
    expect(a.usage.completion_tokens).toBe(48);
  });

  it("an answer that is held to a schema is valid JSON of that schema", async () => {
    const schema = {
      type: "object",
      properties: { depth: { type: "integer" }, salty: { type: "boolean" } },
      required: ["depth", "salty"],
      additionalProperties: false,
    };
    const json_schema = { name: "sea", schema, strict: true };
    const response_format = { type: "json_schema", json_schema };
    for (const model of ["tiny", "auto", "edge"]) {
      const rest = { model, response_format, max_tokens: 200, logit_bias: undefined };
      const reply = await ask(rest);
      expect(reply.brink.engine).toBe("generator:tiny");
      if (reply.choices[0].finish_reason === "length") continue; // a number may grow for ever
      const value = JSON.parse(reply.choices[0].message.content);
      expect(Object.keys(value).sort()).toEqual(["depth", "salty"]);
      expect([Number.isInteger(value.depth), typeof value.salty]).toEqual([true, "boolean"]);
    }
  });

  it("auto sends what the reader cannot answer to the generator, grounded", async () => {
    const hard = [{ role: "user", content: "Why would anyone want to live on an island?" }];
    const memory = { namespace: "notes" };
    const free = { model: "auto", memory, logit_bias: undefined };
    const grounded = await ask({ ...free, messages: hard });
    expect(grounded.brink).toMatchObject({ route: "edge", engine: "generator:tiny" });
    expect(grounded.brink.difficulty).toBeGreaterThan(0);
    const bare = await ask({ messages: hard });
    expect(grounded.usage.prompt_tokens).toBeGreaterThan(bare.usage.prompt_tokens + 50);
    const easy = [{ role: "user", content: "When does the ferry to the island leave?" }];
    await service.call("PUT", "/admin/router", { target: { max_risk: 0.5 } });
    const read = await ask({ ...free, messages: easy });
    expect(read.brink.engine).toBe("brink-reader");
  });

  it("the model that is loaded shows its kernels among the models", async () => {
    const { body } = await service.call("GET", "/v1/models");
    const tiny = body.data.find(({ id }: { id: string }) => id === "tiny");
    expect(tiny).toMatchObject({ kind: "generator", kernels: { matmul: expect.any(String) } });
  });

  it("another model takes the place of the one held, which comes back the same", async () => {
    const before = await ask();
    writeFileSync(join(folder, "other.gguf"), decoderFile({ type: "Q4_0", seed: 9 }));
    await brink("models", "add", join(folder, "other.gguf"));
    const other = await ask({ model: "other" });
    expect(other.brink.engine).toBe("generator:other");
    const [after, again] = await Promise.all([ask(), ask({ model: "generator:other" })]);
    expect(after.choices).toEqual(before.choices);
    expect(again.choices).toEqual(other.choices);
    await brink("models", "remove", "other");
    await expect(ask({ model: "other" })).rejects.toMatchObject({ code: "model_not_found" });
  });

  it("a client that leaves ends its answer, and the next is not kept waiting", async () => {
    const stream = await ask({ stream: true, max_tokens: 900 });
    for await (const _ of stream) break; // closes the connection
    expect((await ask()).usage.completion_tokens).toBe(24);
  });
});

describe("refusals", () => {
  it("a conversation that is longer than the context is refused with both numbers", async () => {
    for (const content of ["sea ".repeat(2 * CONTEXT), "q".repeat(399_000)]) {
      const messages = [{ role: "user", content }];
      await expect(ask({ messages })).rejects.toMatchObject({
        status: 400,
        code: "context_length_exceeded",
        param: "messages",
      });
    }
  });

  it.each<[string, object, string]>([
    ["tools", { tools: [{ type: "function", function: { name: "f" } }] }, "unsupported_parameter"],
    ["a bias on no token", { logit_bias: { 9999999: 1 } }, "invalid_request"],
    ["an unknown format", { response_format: { type: "xml" } }, "invalid_request"],
    ["a model that is not there", { model: "huge" }, "model_not_found"],
  ])("%s: the code comes through", async (_, rest, code) => {
    await expect(ask(rest)).rejects.toMatchObject({ code });
  });

  it("a file that no decoder is made of is refused before it is sent, by name", async () => {
    const fields = { "general.architecture": ["string", "mamba"] as ["string", string] };
    writeFileSync(join(folder, "mamba.gguf"), decoderFile({ fields }));
    const work = brink("models", "add", join(folder, "mamba.gguf"), "--type", "keep");
    await expect(work).rejects.toThrow(/mamba/);
  });

  it("a context that does not fit is refused with the arithmetic", async () => {
    const fields = { "llama.context_length": ["u32", 2 ** 20] as ["u32", number] };
    writeFileSync(join(folder, "long.gguf"), decoderFile({ fields }));
    const work = brink("models", "add", join(folder, "long.gguf"), "--context", "1000000");
    await expect(work).rejects.toThrow(/KV cache .* MB .* = .* MB, the limit is/);
  });
});
