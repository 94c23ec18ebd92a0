/** What a cell of the fault matrix is, and how it calls the service. */
import { LOCAL_ADMIN_KEY, LOCAL_KEY } from "../../../scripts/service.ts";
import type { Reply } from "./backend-rows.ts";
import type { Plan } from "./worker.ts";

/** The namespace that has nothing. */
export const EMPTY = "empty";

export interface Cell {
  name: string;
  /** What it is counted under. */
  group: string;
  /** Takes half a minute. */
  slow: boolean;
  /** Nothing else may be under way: what is to fail is shared with others. */
  alone: boolean;
  /** Must come before anything else was asked of the service. */
  first?: boolean;
  /** Whether a fault is injected; the others show that without one all is well. */
  fault: boolean;
  run(client: FaultClient): Promise<Got>;
}

export interface Got {
  /** What is not as it must be, in words. */
  faults: string[];
  /** What can be looked at only once the isolate has sent on what it gathered. */
  later?: () => Promise<string[]>;
}

/** Each field of `expected` that is another one in `got`. */
export function differences<T extends object>(expected: T, got: { [K in keyof T]: unknown }) {
  return (Object.keys(expected) as (keyof T & string)[]).flatMap((field) => {
    const [wanted, found] = [JSON.stringify(expected[field]), JSON.stringify(got[field])];
    return wanted === found ? [] : [`${field} is ${found}, not ${wanted}`];
  });
}

export interface Call {
  plan: Plan;
  key?: string;
  method?: string;
  path: string;
  body?: object;
  headers?: Record<string, string>;
}

export interface Answer extends Reply {
  retryAfter: string | null;
  trace: string;
  text: string;
  ms: number;
}

/** Nothing may take longer: a reply that never ends is a fault too. */
const CALL_MS_MAX = 60_000;

export class FaultClient {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** What all objects of the memory meet from now on. */
  async setFaults(faults: Plan["faults"]): Promise<void> {
    await fetch(`${this.#url}/faults`, { method: "POST", body: JSON.stringify(faults) });
  }

  async ask({
    plan,
    key = LOCAL_KEY,
    method = "POST",
    path,
    body,
    headers,
  }: Call): Promise<Answer> {
    const startMs = performance.now();
    const response = await fetch(this.#url + path, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        "content-type": "application/json",
        "x-brink-cache": "off",
        "x-faults": JSON.stringify(plan),
        ...headers,
      },
      ...(method === "GET" ? {} : { body: JSON.stringify(body ?? {}) }),
      signal: AbortSignal.timeout(CALL_MS_MAX),
    });
    const text = await response.text();
    const events = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
    return {
      status: response.status,
      code: /"code":\s*"(\w+)"/.exec(text)?.[1] ?? null,
      route: (response.headers.get("x-brink-route") as Reply["route"]) ?? null,
      wanted: /"wanted":\s*"backend"/.test(text),
      ending: events ? endingOf(text) : null,
      retryAfter: response.headers.get("retry-after"),
      trace: response.headers.get("x-brink-trace") ?? "",
      ...{ text, ms: performance.now() - startMs },
    };
  }

  /** The reply's JSON, with the operator's key and no fault. Throws for any status but 2xx. */
  // biome-ignore lint/suspicious/noExplicitAny: replies of every shape
  async admin(method: string, path: string, body?: object, key = LOCAL_ADMIN_KEY): Promise<any> {
    const reply = await this.ask({ plan: {}, key, method, path, body });
    if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.status} ${reply.text}`);
    return reply.text === "" ? null : JSON.parse(reply.text);
  }

  async makeKey(limits: object): Promise<{ id: string; text: string }> {
    const { id, key } = await this.admin("POST", "/admin/keys", limits);
    return { id, text: key };
  }

  /** With the backends of the plan. */
  async metrics(plan: Plan): Promise<string> {
    const { variables } = plan;
    const call = { plan: { variables }, key: LOCAL_ADMIN_KEY, path: "/admin/metrics" };
    return (await this.ask({ ...call, method: "GET" })).text;
  }

  /** Of a key: USD spent and held, and what was recorded. */
  async usage(id: string): Promise<{ spent: number; held: number; requests: number }> {
    const { budget, days } = await this.admin("GET", `/admin/keys/${id}/usage`);
    const { spent_usd: spent, held_usd: held } = budget;
    return { spent, held, requests: days.at(-1)?.requests ?? 0 };
  }
}

/** Gives the key's tenant a namespace `ferry` that says when it leaves. */
export async function fillFerry(client: FaultClient, key: string): Promise<void> {
  await client.admin("PUT", "/admin/namespaces/ferry", {}, key);
  const text = "The ferry to the island leaves at 07:40 and 16:10 daily.";
  const documents = [{ id: "ferry", title: "Ferry", text }];
  await client.admin("POST", "/admin/namespaces/ferry/documents", { documents }, key);
}

function endingOf(text: string): "whole" | "error" {
  const done = text.endsWith("data: [DONE]\n\n") || /event: response\.completed\n/.test(text);
  const failed = /^data: \{"error"/m.test(text) || /^event: (error|response\.failed)$/m.test(text);
  return done && !failed ? "whole" : "error";
}
