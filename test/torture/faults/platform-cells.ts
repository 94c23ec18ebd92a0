/** The cells of the platform's rows: requests one after the other, each with what fails in it, of a
 *  tenant of its own, by whom the isolate has remembered nothing yet. */
import { LOCAL_ADMIN_KEY } from "../../../scripts/service.ts";
import { type OpenAiServer, startOpenAiServer } from "../../support/openai-server.ts";
import {
  type Answer,
  type Cell,
  differences,
  type FaultClient,
  fillFerry,
  type Got,
} from "./cell.ts";
import { type Asking, PLATFORM_ROWS, type PlatformRow, type Step } from "./platform-rows.ts";
import type { Plan } from "./worker.ts";

const PRICE = { price_input_per_mtok: 1, price_output_per_mtok: 2 };
const FERRY = "ferry";
const CHAT = "/v1/chat/completions";
const DOCUMENTS = `/admin/namespaces/${FERRY}/documents`;

export function platformCells(): Cell[] {
  return PLATFORM_ROWS.map((row, i) => {
    const { name, slow = false, alone = false, first = false } = row;
    const group = name.slice(0, name.indexOf(":"));
    const run = (client: FaultClient) => runRow(client, row, `t${i}`);
    return { name, group, slow, alone, first, fault: true, run };
  });
}

async function runRow(client: FaultClient, row: PlatformRow, tenant: string): Promise<Got> {
  const backend = await startOpenAiServer();
  try {
    return await new Row(client, row, tenant, backend).run();
  } finally {
    await backend.close();
  }
}

class Row {
  readonly #client: FaultClient;
  readonly #row: PlatformRow;
  readonly #tenant: string;
  readonly #variables: Record<string, string>;
  #admin = "";
  #paying = { id: "", text: "" };
  /** Of the first answer. */
  #trace = "none";

  constructor(client: FaultClient, row: PlatformRow, tenant: string, backend: OpenAiServer) {
    this.#client = client;
    this.#row = row;
    this.#tenant = tenant;
    const one = { name: `of-${tenant}`, url: backend.url, model: "big-model", ...PRICE };
    this.#variables = { BACKENDS: JSON.stringify([one]), ...row.variables };
  }

  async run(): Promise<Got> {
    const scopes = ["inference", "admin"];
    const tenant = this.#tenant;
    this.#admin = (await this.#client.makeKey({ tenant, scopes })).text;
    this.#paying = await this.#client.makeKey({ budget_usd: 1, requests_per_minute: 100 });
    // Storing would load the models.
    if (this.#row.first)
      await this.#client.admin("PUT", `/admin/namespaces/${FERRY}`, {}, this.#admin);
    else await fillFerry(this.#client, this.#admin);
    const faults: string[] = [];
    for (const [i, step] of this.#row.steps.entries()) {
      if (step.inside !== undefined) await this.#client.setFaults(step.inside);
      const wrong = await this.#take(step);
      faults.push(...wrong.map((fact) => `step ${i + 1}, ${step.ask}: ${fact}`));
    }
    const { settled } = this.#row;
    if (settled === undefined) return { faults };
    return { faults, later: () => this.#isSettled(settled) };
  }

  async #take({ faults, ask, expected, msMax }: Step): Promise<string[]> {
    const plan: Plan = { variables: this.#variables, faults };
    const reply = await this.#ask(ask, plan);
    const late = msMax !== undefined && reply.ms > msMax;
    return [
      ...differences(expected, reply as unknown as typeof expected),
      ...(late ? [`it took ${Math.round(reply.ms)} ms`] : []),
    ];
  }

  async #ask(ask: Asking, plan: Plan): Promise<Answer> {
    const send = async (method: string, path: string, body?: object, headers = {}) =>
      this.#client.ask({ plan, key: await this.#keyFor(ask), method, path, body, headers });
    const messages = [{ role: "user", content: "When does the ferry to the island leave?" }];
    const memory = { namespace: FERRY };
    const documents = [{ id: "pier", text: "The pier is closed on Sundays." }];
    const calls: Record<Asking, () => Promise<Answer>> = {
      edge: () => send("POST", CHAT, { model: "edge", messages, memory }),
      cached: () =>
        send("POST", CHAT, { model: "edge", messages, memory }, { "x-brink-cache": "on" }),
      paid: () => send("POST", CHAT, { model: "backend", messages, memory: false }),
      "unknown key": () => send("POST", CHAT, { model: "backend", messages, memory: false }),
      search: () => send("POST", "/v1/memory/search", { query: "ferry", ...memory }),
      store: () => send("POST", DOCUMENTS, { documents }),
      "store once": () => send("POST", DOCUMENTS, { documents }, { "idempotency-key": "one" }),
      snapshot: () => send("POST", `/admin/namespaces/${FERRY}/snapshots`),
      rate: () => send("POST", "/v1/feedback", { trace_id: this.#trace, rating: "good" }),
      keys: () => send("GET", "/admin/keys"),
      router: () => send("GET", "/admin/router"),
      traces: () => send("GET", "/admin/traces"),
      metrics: () => send("GET", "/admin/metrics"),
      models: () => send("GET", "/v1/models"),
      "stored models": () => send("GET", "/admin/models"),
      console: () => send("GET", "/console"),
      health: () => send("GET", "/healthz"),
    };
    const reply = await calls[ask]();
    if (this.#trace === "none") this.#trace = reply.trace;
    return reply;
  }

  async #keyFor(ask: Asking): Promise<string> {
    if (ask === "paid") return this.#paying.text;
    if (ask === "unknown key") return (await this.#client.makeKey({})).text;
    return ask === "stored models" ? LOCAL_ADMIN_KEY : this.#admin;
  }

  async #isSettled(settled: NonNullable<PlatformRow["settled"]>): Promise<string[]> {
    const { spent, held } = await this.#client.usage(this.#paying.id);
    const wanted = { spent: settled === "told", held: settled === "held" };
    return differences(wanted, { spent: spent > 0, held: held > 0 });
  }
}
