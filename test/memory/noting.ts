/** A tenant with notes on real memory objects, without models: a text's vector is its words. */
import { env } from "cloudflare:workers";
import { NAMESPACE_DEFAULTS } from "../../src/memory/types.ts";
import { learnNote } from "../../src/pipeline/notes.ts";
import { NamespaceNotes } from "../../src/pipeline/notes-admin.ts";
import { chooseNote, findNotes, type NoteDeps } from "../../src/pipeline/notes-find.ts";
import { NotePolicies } from "../../src/pipeline/notes-policy.ts";
import type { NotePolicy } from "../../src/pipeline/notes-types.ts";
import type { Caller } from "../../src/pipeline/types.ts";
import type { Outcome } from "../../src/router/outcome.ts";
import { embedWords, prepared, store } from "./documents.ts";

export const QUESTION = "When does the ferry to Skagen leave?";
const USER: Caller = {
  tenant: "",
  scopes: ["inference"],
  namespaces: null,
  default_namespace: null,
};

/** A tenant of its own with namespace `docs`, which holds one document. */
export async function start(tenant: string, policy: Partial<NotePolicy> = {}) {
  const user = { ...USER, tenant };
  const writer: Caller = { ...user, scopes: ["inference", "memory:write"] };
  const admin: Caller = { ...user, scopes: ["admin"] };
  const policies = new NotePolicies(() => env.LEDGER.getByName(tenant));
  const clock = { ms: Date.now() };
  const work: Promise<unknown>[] = [];
  const deps: NoteDeps = {
    memory: (owner, name) => env.MEMORY.getByName(`${owner}/${name}`),
    policies,
    embed: async (text) => embedWords(text),
    now: () => clock.ms,
    keepAlive: (one) => work.push(one),
  };
  await env.LEDGER.getByName(tenant).putNamespace(tenant, "docs", NAMESPACE_DEFAULTS);
  const memory = env.MEMORY.getByName(`${tenant}/docs`);
  await memory.configure(NAMESPACE_DEFAULTS);
  await store(memory, [prepared("ferry", "The ferry to Skagen leaves at 07:40.")]);
  await policies.write(tenant, "docs", policy);
  const ask = async (question: string, edgeAnswer: string | null = null, owner = tenant) => {
    const near = await findNotes(deps, owner, "docs", async () => embedWords(question));
    return chooseNote(deps, owner, "docs", near, { question, edgeAnswer });
  };
  const answerTo = async (question: string, edgeAnswer: string | null = null) =>
    (await ask(question, edgeAnswer)).match?.note.answer ?? null;
  const learn = (outcome: Outcome, caller: Caller = user, correction: string | null = null) =>
    learnNote(deps, caller, outcome, correction === null ? "good" : "bad", correction);
  const rateBad = (outcome: Outcome, caller: Caller = user) =>
    learnNote(deps, caller, outcome, "bad", null);
  const notes = new NamespaceNotes(deps, policies, () => env.LEDGER.getByName(tenant));
  const list = async (state: "active" | "pending" = "active") =>
    (await notes.list(admin, "docs", { state, limit: 10, cursor: null })).notes;
  const actors = { user, writer, admin };
  const does = { ask, answerTo, learn, rateBad, list };
  return { ...actors, ...does, deps, clock, work, memory, notes };
}

/** A backend's answer to QUESTION, from the document that `start` stores. */
export function backendOutcome(rest: Partial<Outcome> = {}): Outcome {
  return {
    trace_id: "t1",
    at: 0,
    namespace: "docs",
    conversation: null,
    question: QUESTION,
    route: "backend",
    engine: "backend:big",
    edge_answer: null,
    text: "It leaves at 07:40 [1].",
    difficulty_before: null,
    difficulty: 0.8,
    features: null,
    threshold: 0.1,
    weights_version: "w",
    passages: [{ document_id: "ferry", passage_id: "ferry#0", version: 1 }],
    notes: [],
    cost_usd: null,
    standing: "alone",
    ...rest,
  };
}
