/** What a service says of itself to whoever holds its key. */
import type { Address } from "./address.ts";
import { type Check, fail, ok, warn } from "./check.ts";
import { describeStranger, errorIn, mayBeBefore, NOT_BRINK } from "./client.ts";
import { checkKey } from "./doctor-key.ts";
import { CLI_CLOCK_OFF_S_MAX, CLI_DOCTOR_NAMESPACES_MAX } from "./limits.ts";
import { readSamples, type Sample } from "./metrics.ts";
import { remedyFor } from "./remedies.ts";

/** A reply of any status; status 0: there was none, and `message` says why. */
export interface Heard {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: each check knows the shape of what it asked for
  body: any;
  text: string;
  /** An error's code and message; null where there is none. */
  code: string | null;
  message: string;
}

export type Listen = (method: string, path: string, body?: string) => Promise<Heard>;

/** Looks in an order in which the first that fails explains those after it. Each call has `waitMs`
 *  for its whole reply. */
export async function checkService(address: Address, waitMs: number): Promise<Check[]> {
  const { url, key, from } = address;
  const listen = listenTo(url, key, waitMs);
  const health = await listen("GET", "/healthz");
  const reached = describeHealth(url, from, health);
  if ([0, 404].includes(health.status) || isStranger(health)) return [reached];
  const { check, scopes } = await checkKey(listen, key);
  const checks = [reached, checkClock(url, health), check];
  if (scopes.inference || scopes.reads) checks.push(checkModels(await listen("GET", "/v1/models")));
  if (!scopes.reads) {
    const what = "not looked at: backends, router, ledger, stores and namespaces";
    return [...checks, warn("inside", what, "give an admin key: --key, BRINK_KEY or a profile")];
  }
  checks.push(...checkFigures(await listen("GET", "/admin/metrics")));
  checks.push(checkStore(await listen("GET", "/admin/models")));
  return [...checks, ...(await checkNamespaces(listen))];
}

function listenTo(url: string, key: string, waitMs: number): Listen {
  return async (method, path, body) => {
    const none = { headers: new Headers(), body: null, text: "", code: null };
    try {
      const response = await fetch(url + path, {
        method,
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body,
        signal: AbortSignal.timeout(waitMs),
      });
      const text = await response.text();
      const { status, headers } = response;
      const { code, message } = errorIn(text) ?? { code: null, message: `it answers ${status}` };
      return { status, headers, body: parse(text), text, code, message };
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      return { ...none, status: 0, message: (cause as Error).message || String(cause) };
    }
  };
}

// biome-ignore lint/suspicious/noExplicitAny: see Heard
function parse(text: string): any {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Whether what answered /healthz cannot be Brink. */
function isStranger({ status, code, body }: Heard): boolean {
  return status !== 0 && code === null && body?.status !== "ok" && !mayBeBefore(status);
}

function describeHealth(url: string, from: string, heard: Heard): Check {
  const { status, message } = heard;
  const name = "service";
  if (isStranger(heard))
    return fail(name, describeStranger(`${url} (${from})`, status), remedyFor(NOT_BRINK)!);
  if (status === 200) return ok(name, `${url} is ready (${from})`);
  if (status === 503) return warn(name, `${url} is starting: ${message}`, "wait, then look again");
  if (status === 0) {
    const remedy = "npx brink dev starts one here; --url, BRINK_URL or a profile name another";
    return fail(name, `${url} (${from}) does not answer: ${message}`, remedy);
  }
  if (status === 404)
    return fail(name, `${url} (${from}) has no /healthz: ${message}`, remedyFor(NOT_BRINK)!);
  return fail(name, `${url} answers ${status}: ${message}`, "docs/operations.md: when it is wrong");
}

/** Whether keys and documents that end at a time end when this machine would say. */
function checkClock(url: string, { headers }: Heard): Check {
  const name = "clock";
  const theirs = Date.parse(headers.get("date") ?? "");
  if (Number.isNaN(theirs)) return ok(name, `${new URL(url).host} tells no time to compare with`);
  const offS = Math.round((Date.now() - theirs) / 1000);
  if (Math.abs(offS) <= CLI_CLOCK_OFF_S_MAX) return ok(name, `${Math.abs(offS)} s apart`);
  const what = `this machine is ${Math.abs(offS)} s ${offS > 0 ? "ahead" : "behind"}`;
  return warn(name, what, "set this machine's clock: --expires and logs are read by it");
}

function checkModels({ status, body, message }: Heard): Check {
  const name = "models";
  if (status !== 200) return fail(name, message, "npx wrangler tail shows the failure");
  const models = body.data as { id: string; kind: string; kernels?: object }[];
  const missing = ["encoder", "reranker", "edge"].filter(
    (kind) => !models.some((model) => model.kind === kind),
  );
  if (missing.length > 0)
    return fail(name, `there is no ${missing.join(", ")}`, "deploy again: npm run deploy");
  const names = models.filter(({ kind }) => kind !== "router").map(({ id }) => id);
  const loaded = models.some(({ kernels }) => kernels !== undefined);
  return ok(name, `${names.join(", ")}${loaded ? "" : " (not loaded yet, a question does that)"}`);
}

const UNSEEN = "not looked at";
const AGAIN = "look again; npx wrangler tail shows the failure";

/** What only the operator may see, to whoever holds another tenant's key. */
function checkUnseen(name: string): Check {
  const remedy = "give an admin key of the tenant default: --key, BRINK_KEY or a profile";
  return warn(name, `${UNSEEN}: it is for the operator's keys`, remedy);
}

/** By the figures that there are: what is missing among them is nothing that is well. */
function checkFigures({ status, text, message }: Heard): Check[] {
  const what = `${message}: backends, router and ledger are ${UNSEEN}`;
  if (status !== 200) return [fail("figures", what, AGAIN)];
  const samples = readSamples(text);
  const failed = samples.find(({ name }) => name === "brink_metrics_parts_failed")?.value ?? 0;
  const operator = samples.some(({ name }) => name === "brink_ledger_failures_total");
  return [
    ...(failed > 0 ? [warn("figures", `${failed} parts could not be read`, AGAIN)] : []),
    operator ? checkBackends(samples) : checkUnseen("backends"),
    checkRouter(samples),
    operator ? checkLedger(samples) : checkUnseen("ledger"),
  ];
}

function checkBackends(samples: readonly Sample[]): Check {
  const name = "backends";
  const circuits = samples.filter((sample) => sample.name === "brink_backend_circuit");
  if (circuits.length === 0)
    return ok(name, "none: hard questions get the edge's best (docs/backends.md adds one)");
  const states = circuits.map(({ labels, value }) => {
    return `${labels.backend} ${["closed", "half-open", "open"][value] ?? value}`;
  });
  const detail = `circuits: ${states.join(", ")}`;
  const remedy = "look at the backend itself, its key and its quota (docs/operations.md)";
  if (circuits.every(({ value }) => value === 2)) return fail(name, detail, remedy);
  return circuits.some(({ value }) => value !== 0) ? warn(name, detail, remedy) : ok(name, detail);
}

function checkRouter(samples: readonly Sample[]): Check {
  const tests = samples.filter(({ name }) => name === "brink_router_drift_alarm");
  if (tests.length === 0) return warn("router", `${UNSEEN}: its figures are missing`, AGAIN);
  const alarms = tests.filter(({ value }) => value === 1).map(({ labels }) => labels.test);
  if (alarms.length === 0) return ok("router", "no drift alarm");
  const remedy = "npx brink router report, then calibrate or rollback (docs/operations.md)";
  return warn("router", `drift alarm: ${alarms.join(", ")}`, remedy);
}

function checkLedger(samples: readonly Sample[]): Check {
  const failures = samples.find(({ name }) => name === "brink_ledger_failures_total")?.value ?? 0;
  if (failures === 0) return ok("ledger", "answers");
  const what = `${failures} calls failed since this isolate began`;
  return warn(
    "ledger",
    what,
    "it passes by itself; LEDGER_UNREACHABLE says what happens meanwhile",
  );
}

function checkStore({ status, code, body, message }: Heard): Check {
  const name = "model store";
  if (status === 200) return ok(name, `${body.models.length} models of your own`);
  if (code === "forbidden") return checkUnseen(name);
  if (code === "generator_not_configured")
    return ok(name, "not bound, which is optional: npm run deploy -- --generator");
  return fail(name, message, "npx wrangler tail shows the failure");
}

async function checkNamespaces(listen: Listen): Promise<Check[]> {
  const { status, body, message } = await listen("GET", "/admin/namespaces");
  if (status !== 200) return [fail("namespaces", message, "npx wrangler tail shows the failure")];
  const names = (body.namespaces as { name: string }[]).map(({ name }) => name);
  const [first] = names;
  if (first === undefined)
    return [
      warn("namespaces", "none", "npx brink ingest FOLDER --namespace NS --create fills one"),
    ];
  const looked = names.slice(0, CLI_DOCTOR_NAMESPACES_MAX);
  const troubles: Check[] = [];
  let passages = 0;
  for (const name of looked) {
    const stats = await listen("GET", `/admin/namespaces/${encodeURIComponent(name)}/stats`);
    passages += stats.body?.passages ?? 0;
    const work = stats.body?.work as { kind: string; error: string | null } | null | undefined;
    const remedy = `npx brink namespaces stats ${name} (docs/operations.md)`;
    if (stats.status !== 200) troubles.push(fail(`memory ${name}`, stats.message, remedy));
    else if (work?.error)
      troubles.push(warn(`memory ${name}`, `a ${work.kind} fails: ${work.error}`, remedy));
  }
  const among = looked.length < names.length ? `the first ${looked.length} of ` : "";
  const found = ok("namespaces", `${among}${names.length}, ${passages} passages`);
  return [found, ...troubles, checkSnapshots(await listen("GET", snapshotsOf(first)))];
}

function snapshotsOf(namespace: string): string {
  return `/admin/namespaces/${encodeURIComponent(namespace)}/snapshots`;
}

function checkSnapshots({ status, code, message }: Heard): Check {
  const name = "snapshots";
  if (status === 200) return ok(name, "the bucket is bound");
  if (code === "snapshots_not_configured")
    return ok(name, "not bound, which is optional: npm run deploy -- --snapshots");
  return fail(name, message, "npx wrangler tail shows the failure");
}
