/** `brink doctor`: looks at this machine and at the service, and says what to do. */
import { addressOf } from "./address.ts";
import type { Check } from "./check.ts";
import { type Command, countOf, serviceOptions, UsageError } from "./command.ts";
import { checkMachine } from "./doctor-machine.ts";
import { checkService } from "./doctor-service.ts";
import { CLI_DOCTOR_S, CLI_SILENCE_S_MAX } from "./limits.ts";
import { oneLine, paint } from "./table.ts";

const COLORS = { ok: "green", warn: "yellow", fail: "red" } as const;

export const doctor: Command = {
  name: "doctor",
  args: "",
  summary: "Look whether this machine and the service are well, and say what to do.",
  description:
    "It changes nothing. What it finds of circuits and of the ledger is of the one isolate that\n" +
    "answers. It exits with 1 where anything failed.",
  options: serviceOptions("the key to look at, best an admin key", `${CLI_DOCTOR_S}`),
  async run(positionals, values) {
    if (positionals.length > 0) throw new UsageError(`unexpected ${positionals.join(" ")}`);
    const address = addressOf(values);
    const waitMs = 1000 * countOf(values, "timeout", CLI_DOCTOR_S, 1, CLI_SILENCE_S_MAX);
    const checks = [...checkMachine(), ...(await checkService(address, waitMs))];
    if (!values.json) console.log(describe(checks));
    return { url: address.url, ok: checks.every(({ state }) => state !== "fail"), checks };
  },
  exitCode: (result) => ((result as { ok: boolean }).ok ? 0 : 1),
};

function describe(checks: readonly Check[]): string {
  const style = paint(process.stdout);
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap(({ name, state, detail, remedy }) => {
    // What is looked at may be no Brink, and its words may be anything.
    const fact = oneLine(`${name.padEnd(width)}  ${detail}`);
    const line = `${style(COLORS[state], state.padEnd(4))}  ${fact}`;
    if (remedy === null) return [line];
    return [line, `${" ".repeat(width + 8)}${style("bold", oneLine(remedy))}`];
  });
  const counts = (["ok", "warn", "fail"] as const).map((state) => {
    return `${checks.filter((check) => check.state === state).length} ${state}`;
  });
  return [...lines, counts.join(", ")].join("\n");
}
