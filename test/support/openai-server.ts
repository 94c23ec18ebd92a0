/** A real OpenAI-compatible HTTP server on loopback that does what a script says. In a test,
 *  `startOpenAiServer()`; as a process of its own, `node test/support/openai-server.ts`, which
 *  prints `listening URL`, takes further steps as a JSON array at POST /script, gives what it
 *  was asked at GET /requests, and ends with its standard input or after PROCESS_MS_MAX. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What the server does with one completion request; the default is `{ text: ... }`. */
export type Step =
  /** Answers, whole or as a stream of words, as the request asks. */
  | { text: string; tool_calls?: object[]; finish_reason?: string }
  /** A status with its headers and body. */
  | { status: number; headers?: Record<string, string>; body?: string }
  /** A body of exactly these pieces, an event stream unless `type` says otherwise, each in a write
   *  of its own and `pauseMs` after the one before, and then its end. */
  | {
      chunks: (string | Uint8Array)[];
      ending: "end" | "hang" | "reset";
      pauseMs?: number;
      type?: string;
    }
  /** Takes the request and never answers, or drops the connection without a word. */
  | { silence: "hang" | "reset" }
  /** A body of this piece, every few ms until the client goes away; of a stream, of this event. */
  | { endless: string; type?: string }
  /** Another step, so much later. */
  | { delayMs: number; step: Exclude<Step, { delayMs: number }> };

export interface SeenRequest {
  headers: Record<string, string | string[] | undefined>;
  path: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test names the fields that it looks at.
  body: any;
}

export interface OpenAiServer {
  /** Ends in /v1. */
  url: string;
  /** What it was asked, oldest first; REQUESTS_MAX are kept. */
  requests: SeenRequest[];
  /** Requests whose connection the client closed before the reply was complete. */
  aborted: number;
  /** Requests whose reply was sent whole. */
  answered: number;
  /** Adds steps; each request takes one. */
  script(...steps: Step[]): void;
  close(): Promise<void>;
}

const REQUESTS_MAX = 1_000;
const BODY_BYTES_MAX = 16 * 1024 * 1024;
const PROCESS_MS_MAX = 15 * 60_000;
const DEFAULT_TEXT = "The scripted backend says so [1].";

/** A server on a free port of 127.0.0.1. */
export async function startOpenAiServer(): Promise<OpenAiServer> {
  const steps: Step[] = [];
  const http = createServer();
  const server: OpenAiServer = {
    url: "",
    requests: [],
    aborted: 0,
    answered: 0,
    script: (...more) => {
      steps.push(...more);
    },
    close: () => closeServer(http),
  };
  http.on("request", (request, response) => {
    serve(server, steps, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  server.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/v1`;
  return server;
}

async function closeServer(http: Server): Promise<void> {
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
}

async function serve(
  server: OpenAiServer,
  steps: Step[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = request.url ?? "";
  const text = await readBody(request);
  if (path === "/requests") return void response.end(JSON.stringify(server.requests));
  if (path === "/script") {
    steps.push(...(JSON.parse(text) as Step[]));
    return void response.end("{}");
  }
  const body = JSON.parse(text || "null");
  server.requests.push({ headers: request.headers, path, body });
  server.requests.splice(0, server.requests.length - REQUESTS_MAX);
  response.on("close", () => {
    if (response.writableFinished) server.answered++;
    else server.aborted++;
  });
  if (!path.split("?")[0]!.endsWith("/chat/completions"))
    return void response.writeHead(404).end('{"error":{"message":"unknown path"}}');
  await perform(steps.shift() ?? { text: DEFAULT_TEXT }, body, response);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) throw new Error("request too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function perform(
  step: Step,
  body: { stream?: boolean; model: string; stream_options?: { include_usage?: boolean } },
  response: ServerResponse,
): Promise<void> {
  if ("delayMs" in step) {
    await new Promise((resolve) => setTimeout(resolve, step.delayMs));
    return perform(step.step, body, response);
  }
  if ("endless" in step) return sendForever(step, response);
  if ("silence" in step) return step.silence === "hang" ? undefined : void response.destroy();
  if ("status" in step)
    return void response.writeHead(step.status, step.headers).end(step.body ?? "");
  if ("chunks" in step) {
    response.writeHead(200, { "content-type": step.type ?? "text/event-stream" });
    response.flushHeaders();
    for (const chunk of step.chunks) {
      if (step.pauseMs) await new Promise((resolve) => setTimeout(resolve, step.pauseMs));
      if (response.destroyed) return;
      response.write(chunk);
      await new Promise((resolve) => setImmediate(resolve)); // a write of its own
    }
    if (step.ending === "end") response.end();
    if (step.ending === "reset") response.destroy();
    return;
  }
  if (!body.stream) {
    response.writeHead(200, { "content-type": "application/json" });
    return void response.end(JSON.stringify(wholeReply(step, body.model)));
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const events = streamReply(step, body.model, body.stream_options?.include_usage === true);
  response.end(events.map((event) => `data: ${event}\n\n`).join(""));
}

async function sendForever(
  { endless, type }: Extract<Step, { endless: string }>,
  response: ServerResponse,
): Promise<void> {
  response.writeHead(200, { "content-type": type ?? "text/event-stream" });
  const piece = type === undefined ? `data: ${endless}\n\n` : endless;
  while (!response.destroyed) {
    response.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

type Answer = Extract<Step, { text: string }>;

const USAGE = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };

function wholeReply({ text, tool_calls, finish_reason }: Answer, model: string) {
  const message = { role: "assistant", content: text, ...(tool_calls ? { tool_calls } : {}) };
  const choice = { index: 0, message, finish_reason: finish_reason ?? "stop" };
  const frame = { id: "chatcmpl-scripted", object: "chat.completion", created: 1, model };
  return { ...frame, choices: [choice], usage: USAGE };
}

/** The events of a streamed answer, a word a chunk, as JSON texts and the final `[DONE]`. */
export function streamReply(step: Answer, model = "scripted", withUsage = true): string[] {
  const frame = { id: "chatcmpl-scripted", object: "chat.completion.chunk", created: 1, model };
  const chunk = (delta: object, finish_reason: string | null = null) =>
    JSON.stringify({ ...frame, choices: [{ index: 0, delta, finish_reason }] });
  const words = step.text.match(/\S+\s*|\s+/g) ?? [];
  return [
    chunk({ role: "assistant", content: "" }),
    ...words.map((content) => chunk({ content })),
    ...(step.tool_calls ? [chunk({ tool_calls: step.tool_calls })] : []),
    chunk({}, step.finish_reason ?? "stop"),
    ...(withUsage ? [JSON.stringify({ ...frame, choices: [], usage: USAGE })] : []),
    "[DONE]",
  ];
}

if (import.meta.main) {
  const server = await startOpenAiServer();
  console.log(`listening ${server.url}`);
  const end = () => process.exit(0);
  setTimeout(end, PROCESS_MS_MAX).unref();
  process.stdin.on("end", end).resume();
}
