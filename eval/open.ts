/** The open setting: every paragraph of a SQuAD file in memory, every question asked through
 *  POST /v1/chat/completions of the running service. */
import { createHash } from "node:crypto";
import { type Client, fillNamespace } from "./client.ts";
import { showProgress } from "./report.ts";
import { exactMatch, f1Score, type Question } from "./squad.ts";

export interface OpenAnswer {
  question: Question;
  answer: string | null;
  /** The reader's best guess, also where it abstained; null where it had nothing to read. */
  guess: string | null;
  /** P(the edge answer is not good enough), 0..1. */
  difficulty: number;
  features: Record<string, number> | null;
  f1: number;
  exact: number;
  ms: number;
  citations: { document_id: string; quote: string }[];
}

interface Reply {
  brink: {
    answer: string | null;
    difficulty: number;
    features?: Record<string, number>;
    best_span?: { text: string };
    citations: { document_id: string; quote: string }[];
  };
}

/** Fills `namespace` with the distinct paragraphs and asks each question of the edge. */
export async function askAll(
  client: Client,
  namespace: string,
  questions: readonly Question[],
  corpus: readonly Question[],
): Promise<OpenAnswer[]> {
  const contexts = new Set(corpus.map(({ context }) => context));
  const documents = Array.from(contexts, (text) => {
    return { id: createHash("sha256").update(text).digest("hex").slice(0, 16), text };
  });
  await fillNamespace(client, namespace, {}, documents);
  const answers: OpenAnswer[] = [];
  for (const question of questions) {
    const startMs = performance.now();
    const reply = await client.call<Reply>("POST", "/v1/chat/completions", {
      model: "edge",
      messages: [{ role: "user", content: question.question }],
      memory: { namespace },
      explain: true,
    });
    const { answer, difficulty, features, best_span, citations } = reply.brink;
    answers.push({
      question,
      answer,
      guess: best_span?.text ?? null,
      difficulty,
      features: features ?? null,
      f1: f1Score(answer, question.answers),
      exact: exactMatch(answer, question.answers),
      ms: performance.now() - startMs,
      citations,
    });
    showProgress("questions", answers.length, questions.length);
  }
  return answers;
}
