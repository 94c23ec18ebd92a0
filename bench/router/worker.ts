/** What routing does before anything is written, over and over, for a clock outside. */
import difficulty from "../../models/difficulty.json";
import type { SearchHit } from "../../src/memory/types.ts";
import { SharedConversations } from "../../src/pipeline/conversations.ts";
import { findConversation } from "../../src/pipeline/conversing.ts";
import { judgeBefore } from "../../src/pipeline/edge-work.ts";
import type { AnswerRequest } from "../../src/pipeline/types.ts";
import { type DifficultyFile, parseDifficultyModel } from "../../src/router/difficulty.ts";
import type { ActiveRouter } from "../../src/router/router-types.ts";

export interface RouterCall {
  questions: string[];
  hits: SearchHit[];
  messages: AnswerRequest["messages"];
  /** How many questions to score, and how many conversations to look for. */
  scores: number;
  lookups: number;
}

const model = parseDifficultyModel(difficulty as unknown as DifficultyFile);
const router: ActiveRouter = {
  ...{ model, target: { max_risk: 0.15 }, threshold: 0.3 },
  ...{ ladder: [], shadow_rate: 0, revision: 0 },
};
const caller: AnswerRequest["caller"] = {
  ...{ tenant: "bench", role: "inference" },
  ...{ namespaces: null, default_namespace: null, scopes: [] },
};

export default {
  async fetch(request: Request, _: unknown, context: ExecutionContext): Promise<Response> {
    if (request.method === "GET") return new Response("ready");
    const { questions, hits, messages, scores, lookups } = (await request.json()) as RouterCall;
    let sum = 0;
    for (let i = 0; i < scores; i++)
      sum += judgeBefore(router, questions[i % questions.length]!, hits)!.score;
    const conversations = new SharedConversations((work) => context.waitUntil(work));
    const asked = { caller, messages } as AnswerRequest;
    for (let i = 0; i < lookups; i++) await findConversation(conversations, asked);
    return Response.json({ sum });
  },
};
