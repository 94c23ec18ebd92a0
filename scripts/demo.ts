/** `npm run demo`: starts the service with fresh state, asks an easy, an unanswerable and a hard
 *  question about Brink's own documentation, and shows what came back. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeAnswer, type Shown } from "./demo-answer.ts";
import { readProgram } from "./program.ts";
import { exitOnSignals, LOCAL_KEY, startService } from "./service.ts";

const root = join(import.meta.dirname, "..");

const QUESTIONS = [
  { kind: "easy", question: "How much memory does an isolate have?" },
  { kind: "unanswerable", question: "Who won the 1998 football world cup final in Paris?" },
  { kind: "hard", question: "Why does the reader read before the route is chosen?" },
];

interface Reply {
  choices: { message: { content: string } }[];
  brink: {
    answer: string | null;
    route: string;
    wanted?: string;
    difficulty: number | null;
    reason: string;
    citations: Shown["citations"];
  };
}

const HELP = `usage: npm run demo -- [--json]

Starts a service of its own and asks it an easy, an unanswerable and a hard question. --json prints
one JSON document and nothing else. BACKEND_URL, BACKEND_KEY and BACKEND_MODEL name a backend.`;

const { values } = readProgram(HELP, { json: { type: "boolean", default: false } });
const say = (line: string) => values.json || console.log(line);

const variables: Record<string, string> = {};
for (const name of ["BACKEND_URL", "BACKEND_KEY", "BACKEND_MODEL"])
  if (process.env[name]) variables[name] = process.env[name];
execFileSync(process.execPath, [join(root, "scripts/build.ts"), "--quiet"], {
  stdio: ["ignore", "ignore", "inherit"],
});
exitOnSignals();
const state = mkdtempSync(join(tmpdir(), "brink-demo-"));
process.once("exit", () => rmSync(state, { recursive: true, force: true }));
say("starting the service, which reads its own documentation first ...");
const service = await startService({ state, variables });
try {
  const shown: Shown[] = [];
  for (const { kind, question } of QUESTIONS) {
    const answer = await ask(service.url, question);
    shown.push(answer);
    say(describeAnswer(kind, answer));
  }
  if (values.json) console.log(JSON.stringify({ questions: shown }, null, 2));
} finally {
  await service.stop();
}

async function ask(url: string, question: string): Promise<Shown> {
  const startMs = performance.now();
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${LOCAL_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "auto", messages: [{ role: "user", content: question }] }),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  const { choices, brink } = (await response.json()) as Reply;
  const { answer, route, wanted, difficulty, reason, citations } = brink;
  return {
    question,
    answer,
    text: choices[0]?.message.content ?? "",
    route,
    ...(wanted === undefined ? {} : { wanted }),
    difficulty,
    reason,
    citations: citations.map(({ mark, document_id, quote }) => ({ mark, document_id, quote })),
    ms: Math.round(performance.now() - startMs),
  };
}
