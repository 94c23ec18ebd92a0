/** `brink router status` and `brink router rollback`; and the router's state, as others show it. */
import { type Client, connect } from "./client.ts";
import { type Command, SERVICE_OPTIONS, UsageError } from "./command.ts";
import { table } from "./table.ts";

/** GET /admin/router. */
export interface RouterStatus {
  /** `max_risk` with its `confidence`, `backend_share` or `budget_usd_per_1k`. */
  target: Record<string, number>;
  /** The largest difficulty that the edge keeps; -1: none. */
  threshold: number;
  weights_version: string;
  calibration?: { version: string; source: "shipped" | "own"; labels: number };
  expected?: Expected | null;
  [more: string]: unknown;
}

/** What the threshold is expected to do, by the calibration set. */
export interface Expected {
  coverage: number | null;
  risk: number | null;
  risk_upper: number | null;
  backend_share: number | null;
  usd_per_1k: number | null;
}

export async function readStatus(client: Client): Promise<RouterStatus> {
  return (await client.callAgain("GET", "/admin/router")) as RouterStatus;
}

export const routerStatus: Command = {
  name: "router status",
  args: "",
  summary: "Show the router's target, its threshold and what it is expected to do.",
  options: SERVICE_OPTIONS,
  async run(positionals, values) {
    if (positionals.length > 0) throw new UsageError(`unexpected ${positionals.join(" ")}`);
    const status = await readStatus(connect(values));
    if (!values.json) console.log(describeStatus(status));
    return status;
  },
};

export const routerRollback: Command = {
  name: "router rollback",
  args: "[VERSION]",
  summary: "Go back to an earlier version of the router's weights and calibration.",
  description: "Without VERSION the versions are listed, newest first.",
  options: SERVICE_OPTIONS,
  async run([version, ...more], values) {
    if (more.length > 0) throw new UsageError("name one version");
    const client = connect(values);
    if (version === undefined) {
      const reply = (await client.call("GET", "/admin/router/versions")) as { versions: object[] };
      if (!values.json) console.log(describeVersions(reply.versions));
      return reply;
    }
    const reply = await client.call("POST", "/admin/router/rollback", { version });
    if (!values.json) console.log(describeStatus(await readStatus(client)));
    return reply;
  },
};

/** The state as a table: what it promises first, then the rest as it came. */
export function describeStatus(status: RouterStatus): string {
  const { target, threshold, weights_version, calibration, expected, ...more } = status;
  const rows: string[][] = [
    ["target", describeTarget(target)],
    ["threshold", describeThreshold(threshold)],
    ...describeExpected(expected ?? null, target),
    ["weights", weights_version],
  ];
  if (calibration !== undefined) {
    const { version, source, labels } = calibration;
    const whose = source === "own" ? "of your own" : "as shipped: npx brink router calibrate";
    rows.push(["calibration", `${version}, ${labels} labels, ${whose}`]);
  }
  rows.push(...flatten(more));
  return table(rows);
}

export function describeTarget(target: Record<string, number>): string {
  const { max_risk, backend_share, budget_usd_per_1k, confidence } = target;
  if (max_risk !== undefined) {
    const how = confidence === undefined ? "" : `, with confidence ${percent(confidence)}`;
    return `at most ${percent(max_risk)} of the edge's answers wrong${how}`;
  }
  if (backend_share !== undefined) return `${percent(backend_share)} of questions to the backend`;
  if (budget_usd_per_1k !== undefined) return `${budget_usd_per_1k} USD for 1,000 questions`;
  return JSON.stringify(target);
}

function describeThreshold(threshold: number): string {
  if (threshold < 0) return "none: the labels support none, and the edge keeps no question";
  return `${threshold.toFixed(4)}: the edge keeps what is no harder`;
}

function describeExpected(
  expected: Expected | null,
  { confidence }: Record<string, number>,
): string[][] {
  if (expected === null) return [];
  const { coverage, risk, risk_upper, backend_share, usd_per_1k } = expected;
  const rows: string[][] = [];
  if (coverage !== null) rows.push(["kept at the edge", `${percent(coverage)} of questions`]);
  if (risk !== null) {
    const how = confidence === undefined ? "" : ` with confidence ${percent(confidence)}`;
    const most = risk_upper === null ? "" : `, at most ${percent(risk_upper)}${how}`;
    rows.push(["of these wrong", `${percent(risk)}${most}`]);
  }
  if (backend_share !== null) rows.push(["to the backend", percent(backend_share)]);
  if (usd_per_1k !== null) rows.push(["cost", `${usd_per_1k.toFixed(2)} USD for 1,000 questions`]);
  return rows;
}

function describeVersions(versions: readonly object[]): string {
  if (versions.length === 0) return "there are no versions but the shipped one";
  const names = [...new Set(versions.flatMap((version) => Object.keys(version)))];
  const rows = versions.map((version) =>
    names.map((name) => show((version as Record<string, unknown>)[name])),
  );
  return table([names, ...rows]);
}

/** `name.inner  value` of every value that is neither an object nor missing. */
function flatten(value: object, before = ""): string[][] {
  return Object.entries(value).flatMap(([name, inner]): string[][] => {
    const path = `${before}${name}`.replaceAll("_", " ");
    if (typeof inner === "object" && inner !== null && !Array.isArray(inner))
      return flatten(inner, `${path}, `);
    return inner == null ? [] : [[path, show(inner)]];
  });
}

function show(value: unknown): string {
  if (value == null) return "";
  if (typeof value === "number" && !Number.isInteger(value)) return String(+value.toFixed(4));
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** `12.3 %` of a share. */
export function percent(share: number): string {
  return `${+(100 * share).toFixed(1)} %`;
}
