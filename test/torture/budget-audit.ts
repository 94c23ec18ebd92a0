/** Answers that a budget pays for, asked while the service is killed, and what must be known of
 *  them after each start: every answer that came is paid for or still held, none twice, and none
 *  that was never asked for. */
import type { BenchClient } from "../../bench/client.ts";
import { type OpenAiServer, startOpenAiServer } from "../support/openai-server.ts";

/** What the scripted backend says that an answer used, at these prices, in whole micro-USD. */
const PRICES = { BACKEND_PRICE_INPUT_PER_MTOK: "1", BACKEND_PRICE_OUTPUT_PER_MTOK: "2" };
const ANSWER_MICROS = 11 + 7 * 2;
const BODY = JSON.stringify({
  model: "backend",
  memory: false,
  max_tokens: 8,
  messages: [{ role: "user", content: "Is the budget exact?" }],
});
const BUDGET_USD = 1_000;

interface Budget {
  spent_usd: number;
  held_usd: number;
  lapsed_usd: number;
}

export class BudgetAudit {
  readonly #backend: OpenAiServer;
  readonly #open = new Set<Promise<void>>();
  #key = { id: "", key: "" };
  /** What one answer under way holds, micro-USD. */
  #holdMicros = 0;
  /** Answers that were asked for, and those that came. */
  asked = 0;
  answered = 0;
  /** As of the last check: answers paid for, and those whose end was not told. */
  paid = 0;
  untold = 0;

  private constructor(backend: OpenAiServer) {
    this.#backend = backend;
  }

  static async start(): Promise<BudgetAudit> {
    return new BudgetAudit(await startOpenAiServer());
  }

  /** For the service. */
  get variables(): Record<string, string> {
    return { BACKEND_URL: this.#backend.url, BACKEND_MODEL: "big-model", ...PRICES };
  }

  /** Makes the key, and learns from one that never gets its answer what is held. */
  async prepare(client: BenchClient, url: string): Promise<void> {
    const limits = { budget_usd: BUDGET_USD, budget_period: "total" };
    const other = await client.call<{ id: string; key: string }>("POST", "/admin/keys", limits);
    this.#backend.script({ silence: "hang" });
    const leave = new AbortController();
    const left = this.#send(url, other.key, leave.signal).catch(() => {});
    while (this.#backend.requests.length === 0) await pause(5);
    this.#holdMicros = micros((await budgetOf(client, other.id)).held_usd);
    leave.abort();
    await left;
    this.#key = await client.call("POST", "/admin/keys", limits);
  }

  /** Asks once more, whatever becomes of it. */
  ask(url: string): void {
    this.asked += 1;
    const asking = this.#send(url, this.#key.key).then(
      (whole) => {
        if (whole) this.answered += 1;
      },
      () => {}, // the service was killed
    );
    const open = asking.finally(() => this.#open.delete(open));
    this.#open.add(open);
  }

  /** With nothing under way. Throws where money is not as it must be. */
  async check(client: BenchClient): Promise<void> {
    await Promise.all(this.#open);
    const budget = await budgetOf(client, this.#key.id);
    const paid = micros(budget.spent_usd) / ANSWER_MICROS;
    const untold = (micros(budget.held_usd) + micros(budget.lapsed_usd)) / this.#holdMicros;
    const all =
      `${paid} paid, ${untold} held or lapsed, ` +
      `${this.answered} answered, ${this.asked} asked for`;
    if (!Number.isInteger(paid) || !Number.isInteger(untold))
      throw new Error(`the budget has parts of answers: ${all}`);
    if (paid < this.paid)
      throw new Error(`what was paid is paid no more: ${this.paid}, now ${all}`);
    if (paid + untold < this.answered) throw new Error(`the budget lost answers: ${all}`);
    if (paid + untold > this.asked) throw new Error(`the budget paid twice: ${all}`);
    this.paid = paid;
    this.untold = untold;
  }

  close(): Promise<void> {
    return this.#backend.close();
  }

  /** Whether the whole answer came. */
  async #send(url: string, key: string, signal?: AbortSignal): Promise<boolean> {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const call = { method: "POST", headers, body: BODY, signal: signal ?? null };
    const response = await fetch(`${url}/v1/chat/completions`, call);
    await response.json();
    return response.ok;
  }
}

async function budgetOf(client: BenchClient, id: string): Promise<Budget> {
  const usage = await client.call<{ budget: Budget }>("GET", `/admin/keys/${id}/usage`);
  return usage.budget;
}

const micros = (usd: number) => Math.round(usd * 1e9) / 1e3;
const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));
