/** `brink router status` and `brink router rollback`. */
import type { RouterState } from "../src/pipeline/learning-types.ts";
import type { VersionInfo } from "../src/router/router-types.ts";
import { type Client, connect } from "./client.ts";
import { type Command, SERVICE_OPTIONS, UsageError } from "./command.ts";
import { describeState } from "./router-state.ts";
import { showTime, table } from "./table.ts";

/** Throws CommandError. */
export async function readState(client: Client): Promise<RouterState> {
  return (await client.callAgain("GET", "/admin/router")) as RouterState;
}

export const routerStatus: Command = {
  name: "router status",
  args: "",
  summary: "Show the router's target, its threshold and what it is expected to do.",
  options: SERVICE_OPTIONS,
  async run(positionals, values) {
    if (positionals.length > 0) throw new UsageError(`unexpected ${positionals.join(" ")}`);
    const state = await readState(connect(values));
    if (!values.json) console.log(describeState(state));
    return state;
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
      const reply = await client.call("GET", "/admin/router/versions");
      const { versions } = reply as { versions: VersionInfo[] };
      if (!values.json) console.log(describeVersions(versions));
      return reply;
    }
    const state = await client.call("POST", "/admin/router/rollback", { version });
    if (!values.json) console.log(describeState(state as RouterState));
    return state;
  },
};

function describeVersions(versions: readonly VersionInfo[]): string {
  return table([
    ["version", "made", "from", "weights", "labels", "abstained", "note"],
    ...versions.map(({ version, created_at, source, note, active, ...counts }) => [
      active ? `${version} (active)` : version,
      created_at === null ? "" : showTime(created_at),
      source,
      counts.weights_version,
      counts.labels,
      counts.abstained,
      note ?? "",
    ]),
  ]);
}
