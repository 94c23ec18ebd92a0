/** What a service is asked under load: a seeded mixture of backend answers, whole and streamed,
 *  searches, writes and edge answers, each of which is held to what it must give. */
import { BenchClient } from "../../../bench/client.ts";
import { answerTo } from "../../../bench/service/mock-backend.ts";
import { mulberry32 } from "../../../eval/random.ts";
import { within } from "../../../src/pipeline/within.ts";

/** Of a hundred calls; an edge answer takes 0.2 s of CPU time, the others 2 to 30 ms. */
export const SHARES = { backend: 58, search: 30, write: 10, edge: 2 } as const;
export type Kind = keyof typeof SHARES;

/** Written again and again, and searched: its size stays. */
const PIERS = { namespace: "piers", count: 100 };
/** Few and written once: of each it is known, once asked, that the edge answers right. */
const BOATS = { namespace: "boats", count: 10 };
/** Calls under way at once; more wait, and their time counts. */
const CONNECTIONS = 256;
/** A call that takes longer has failed. */
const CALL_MS_MAX = 60_000;

export class Mixture {
  readonly #client: BenchClient;
  readonly #random: () => number;

  constructor(url: string, seed: number) {
    this.#client = new BenchClient(url, CONNECTIONS);
    this.#random = mulberry32(seed);
  }

  /** Stores what is asked for. Answers are to be found, not remembered. */
  async prepare(): Promise<void> {
    await this.#client.call("PUT", "/admin/cache", { exact: "off" });
    for (const { namespace, count } of [PIERS, BOATS]) {
      await this.#client.call("PUT", `/admin/namespaces/${namespace}`, {});
      await this.#store(namespace, [...Array(count).keys()]);
    }
    for (let boat = 0; boat < BOATS.count; boat++) await this.#askEdge(boat);
  }

  /** The next call, which is made by `make`: that rejects with a Refusal where the service refuses
   *  it, and otherwise where the reply is not what it must be or does not come. */
  next(i: number): { kind: Kind; make: () => Promise<void> } {
    const kind = this.#pick();
    const pier = Math.floor(this.#random() * PIERS.count);
    return { kind, make: () => within(CALL_MS_MAX, () => this.#make(kind, pier, i)) };
  }

  close(): void {
    this.#client.close();
  }

  #pick(): Kind {
    let left = this.#random() * 100;
    for (const [kind, share] of Object.entries(SHARES)) {
      left -= share;
      if (left < 0) return kind as Kind;
    }
    return "backend";
  }

  async #make(kind: Kind, pier: number, i: number): Promise<void> {
    if (kind === "write") return this.#store(PIERS.namespace, [pier]);
    if (kind === "search") return this.#search(pier);
    return kind === "edge" ? this.#askEdge(pier % BOATS.count) : this.#askBackend(i);
  }

  async #store(namespace: string, piers: readonly number[]): Promise<void> {
    const lines = piers.map((pier) => {
      // Another text each time: the same one would not be written.
      const text = `${factOf(pier)} Number ${Math.floor(this.#random() * 1e9)} is on its wall.`;
      return JSON.stringify({ id: `pier-${pier}`, text });
    });
    await this.#client.ingest(namespace, lines.join("\n"));
  }

  async #search(pier: number): Promise<void> {
    const query = { query: `boat from ${nameOf(pier)}`, k: 5 };
    const hits = await this.#client.search(PIERS.namespace, query);
    const found = hits.some(({ document_id }) => document_id === `pier-${pier}`);
    if (!found) throw new Error(`does not find pier-${pier} among ${JSON.stringify(hits)}`);
  }

  async #askEdge(pier: number): Promise<void> {
    const content = `When does the boat from ${nameOf(pier)} leave?`;
    const messages = [{ role: "user", content }];
    const body = { model: "edge", messages, memory: { namespace: BOATS.namespace } };
    const { brink } = await this.#client.call<Reply>("POST", "/v1/chat/completions", body);
    const sources = brink.citations.map(({ document_id }) => document_id);
    if (sources[0] !== `pier-${pier}` || !brink.answer?.includes(timeOf(pier)))
      throw new Error(`answers ${brink.answer} out of ${sources} of pier-${pier}`);
  }

  async #askBackend(i: number): Promise<void> {
    const question = `question ${i}`;
    const messages = [{ role: "user", content: question }];
    const stream = i % 2 === 1;
    const body = JSON.stringify({ model: "backend", memory: false, messages, stream });
    const reply = await this.#client.send("POST", "/v1/chat/completions", body, "application/json");
    const text = stream ? textOfStream(reply) : JSON.parse(reply).choices[0].message.content;
    if (text !== answerTo(question)) throw new Error(`answers ${text}`);
  }
}

interface Reply {
  brink: { answer: string | null; citations: { document_id: string }[] };
}

const FIRST = [
  "Alder",
  "Birch",
  "Cedar",
  "Dogwood",
  "Elm",
  "Fir",
  "Gorse",
  "Hazel",
  "Ivy",
  "Juniper",
];
const LAST = ["Bay", "Cove", "Dock", "Point", "Quay", "Sound", "Spit", "Wharf", "Haven", "Creek"];

/** Of words, so that it is told apart by them. */
const nameOf = (pier: number) => `${FIRST[pier % 10]} ${LAST[Math.floor(pier / 10)]}`;

function timeOf(pier: number): string {
  return `${String(6 + (pier % 13)).padStart(2, "0")}:${10 + (pier % 50)}`;
}

const factOf = (pier: number) => `The boat from ${nameOf(pier)} leaves at ${timeOf(pier)}.`;

/** Empty where the stream does not end as it should. */
function textOfStream(body: string): string {
  const data = Array.from(body.matchAll(/^data: (.*)$/gm), ([, text]) => text!);
  if (data.pop() !== "[DONE]") return "";
  return data.map((text) => JSON.parse(text).choices[0]?.delta?.content ?? "").join("");
}
