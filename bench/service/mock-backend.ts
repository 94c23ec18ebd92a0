/** An OpenAI-compatible server that costs next to nothing, in a process of its own: what the
 *  gateways are measured with. `node bench/service/mock-backend.ts` prints `listening URL` and ends
 *  with its standard input. It answers `Answer to QUESTION.`, so that each reply can be held to
 *  what was asked; a stream gives the first word at once and the others STEP_MS apart. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Between two words of a streamed answer, each of which is a write of its own. */
const STEP_MS = 10;

/** What is answered to a question, in all. */
export function answerTo(question: string): string {
  return `Answer to ${question}.`;
}

const USAGE = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };

interface Asked {
  model: string;
  stream?: boolean;
  stream_options?: { include_usage?: boolean };
  messages: { content: string }[];
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  const asked = JSON.parse(Buffer.concat(parts).toString()) as Asked;
  const text = answerTo(asked.messages.at(-1)!.content);
  if (asked.stream) return stream(asked, text, response);
  const message = { role: "assistant", content: text };
  const choices = [{ index: 0, message, finish_reason: "stop" }];
  const frame = { id: "chatcmpl-mock", object: "chat.completion", created: 1, model: asked.model };
  const body = JSON.stringify({ ...frame, choices, usage: USAGE });
  response.writeHead(200, { "content-type": "application/json" }).end(body);
}

function stream({ model, stream_options }: Asked, text: string, response: ServerResponse): void {
  const frame = { id: "chatcmpl-mock", object: "chat.completion.chunk", created: 1, model };
  const event = (data: object) => `data: ${JSON.stringify({ ...frame, ...data })}\n\n`;
  const chunk = (delta: object, finish_reason: string | null = null) =>
    event({ choices: [{ index: 0, delta, finish_reason }] });
  const words = text.match(/\s*\S+/g)!;
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(chunk({ role: "assistant", content: "" }) + chunk({ content: words.shift() }));
  const usage = stream_options?.include_usage ? event({ choices: [], usage: USAGE }) : "";
  const next = () => {
    const content = words.shift();
    if (content === undefined) response.end(`${chunk({}, "stop")}${usage}data: [DONE]\n\n`);
    else {
      response.write(chunk({ content }));
      setTimeout(next, STEP_MS);
    }
  };
  setTimeout(next, STEP_MS);
}

if (import.meta.main) {
  const http = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  http.keepAliveTimeout = 60_000; // longer than any pause of a run
  await new Promise<void>((done) => http.listen(0, "127.0.0.1", done));
  console.log(`listening http://127.0.0.1:${(http.address() as AddressInfo).port}/v1`);
  process.stdin.on("end", () => process.exit(0)).resume();
}
