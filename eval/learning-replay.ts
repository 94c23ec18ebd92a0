/** Replays traffic: the running service retrieves, reads and scores; what notes do is done here by
 *  the functions that serve, on a memory that stands in for the object of notes. */
import { createHash } from "node:crypto";
import { learnNote } from "../src/pipeline/notes.ts";
import { chooseNote, findNotes, type NoteDeps } from "../src/pipeline/notes-find.ts";
import { NOTE_POLICY_DEFAULT } from "../src/pipeline/notes-policy.ts";
import type { Caller } from "../src/pipeline/types.ts";
import type { Outcome } from "../src/router/outcome.ts";
import { type Client, embedAll, fillNamespace, fromBase64 } from "./client.ts";
import { NotesInMemory } from "./learning-memory.ts";
import type { Ask } from "./learning-traffic.ts";
import { showProgress } from "./report.ts";
import { f1Score, type Question } from "./squad.ts";

const NAMESPACE = "eval-learning";
const TENANT = "eval";
const USER: Caller = {
  tenant: TENANT,
  scopes: ["inference"],
  namespaces: null,
  default_namespace: null,
};

/** A question with what the edge had to say, whether or not it went to the backend. */
export interface Asked extends Ask {
  by: "note" | "reader";
  /** P(the edge's answer is not good enough); 1 where it has none. */
  difficulty: number;
  /** Of the edge's answer. */
  f1: number;
  /** Whether the question had a note by then, in whatever words. */
  noted: boolean;
}

interface Reply {
  brink: {
    answer: string | null;
    difficulty: number | null;
    citations: { document_id: string; passage_id: string }[];
  };
}

/** Asks in order. What is harder than the service's threshold goes to a backend that answers from
 *  gold, and whoever asked rates that good. */
export async function replay(
  client: Client,
  traffic: readonly Ask[],
  corpus: readonly Question[],
): Promise<{ asked: Asked[]; threshold: number }> {
  const contexts = new Set(corpus.map(({ context }) => context));
  const documents = Array.from(contexts, (text) => ({ id: idOf(text), text }));
  await fillNamespace(client, NAMESPACE, {}, documents);
  const { threshold } = await client.call<{ threshold: number }>("GET", "/admin/router");
  const embeddings = await embedAll(
    client,
    "questions",
    traffic.map(({ text }) => text),
  );
  const deps = depsOf();
  const noted = new Set<string>();
  const asked: Asked[] = [];
  for (const [i, ask] of traffic.entries()) {
    const vector = fromBase64(embeddings[i]!);
    deps.embed = async () => vector;
    const one = await askOnce(client, deps, ask, vector);
    asked.push({ ...one.asked, noted: ask.recurring !== null && noted.has(ask.recurring) });
    if (one.asked.difficulty > threshold) {
      const learned = await learnNote(deps, USER, one.outcome, "good", null);
      if (learned !== null && ask.recurring !== null) noted.add(ask.recurring);
    }
    showProgress("questions", i + 1, traffic.length);
  }
  return { asked, threshold };
}

async function askOnce(client: Client, deps: NoteDeps, ask: Ask, vector: Float32Array) {
  const { text, question } = ask;
  const { brink } = await client.call<Reply>("POST", "/v1/chat/completions", {
    model: "edge",
    messages: [{ role: "user", content: text }],
    memory: { namespace: NAMESPACE },
  });
  const near = await findNotes(deps, TENANT, NAMESPACE, async () => vector);
  const what = { question: text, edgeAnswer: brink.answer };
  const { match } = await chooseNote(deps, TENANT, NAMESPACE, near, what);
  const answer = match?.note.answer ?? brink.answer;
  const difficulty = match?.difficulty ?? brink.difficulty ?? 1;
  const asked: Omit<Asked, "noted"> = {
    ...ask,
    by: match === null ? "reader" : "note",
    difficulty,
    f1: answer === null ? 0 : f1Score(answer, question.answers),
  };
  return { asked, outcome: backendOutcome(ask, brink.answer, difficulty) };
}

/** What the backend leaves behind: it answers with the first of the gold answers. */
function backendOutcome(
  { text, question }: Ask,
  edge_answer: string | null,
  difficulty: number,
): Outcome {
  const document_id = idOf(question.context);
  return {
    trace_id: question.id,
    at: 0,
    namespace: NAMESPACE,
    conversation: null,
    question: text,
    route: "backend",
    engine: "backend:gold",
    edge_answer,
    text: `${question.answers[0]} [1]`,
    difficulty_before: null,
    difficulty,
    features: null,
    threshold: 0,
    weights_version: "",
    passages: [{ document_id, passage_id: document_id, version: 1 }],
    notes: [],
    cost_usd: null,
    standing: "alone",
  };
}

/** Each name has a memory of its own: what waits for approval lies apart from what answers. */
function depsOf(): NoteDeps {
  const memories = new Map<string, NotesInMemory>();
  return {
    memory: (_, name) => {
      const memory = memories.get(name) ?? new NotesInMemory();
      memories.set(name, memory);
      return memory as unknown as ReturnType<NoteDeps["memory"]>;
    },
    policies: {
      read: async () => ({ ...NOTE_POLICY_DEFAULT, made: true }),
      markMade: async () => undefined,
    },
    embed: async () => {
      throw new Error("set for each question");
    },
    now: () => Date.now(),
    keepAlive: () => undefined,
  };
}

function idOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
