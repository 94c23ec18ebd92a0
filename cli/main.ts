/** `npx brink`: the command line for operators. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Command, CommandError, parseCommand, UsageError } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { describeCommand, findCommand, refuseUnknown, spellHelp } from "./help.ts";
import { remedyFor } from "./remedies.ts";

const WRONG_USE = 2;

// Whoever reads may stop, as head does: what is left has no reader, and that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});
process.exitCode = await main(process.argv.slice(2));

async function main(typed: string[]): Promise<number> {
  if (typed[0] === "--version") {
    console.log(readVersion());
    return 0;
  }
  const words = spellHelp(COMMANDS, typed);
  const { command, rest } = findCommand(COMMANDS, words);
  try {
    if (command === undefined) throw refuseUnknown(COMMANDS, words);
    return await run(command, rest);
  } catch (error) {
    return fail(error, command?.name, words.includes("--json"));
  }
}

async function run(command: Command, rest: string[]): Promise<number> {
  const { values, positionals } = parseCommand(command, rest);
  if (values.help) {
    console.log(describeCommand(command));
    return 0;
  }
  const result = await command.run(positionals, values);
  if (values.json) console.log(JSON.stringify(result, null, 2));
  return command.exitCode?.(result) ?? 0;
}

/** Says it on stderr, and with --json on stdout as a document. */
function fail(error: unknown, name: string | undefined, json: boolean): number {
  const usage = error instanceof UsageError;
  const known = usage || error instanceof CommandError || (error as Error)?.name === "ServiceError";
  const message = error instanceof Error ? error.message : String(error);
  const code = usage ? "usage" : ((error as { code?: string | null })?.code ?? null);
  const remedy = (error as { remedy?: string | null })?.remedy ?? remedyFor(code);
  if (json) console.log(JSON.stringify({ error: { message, code, remedy } }, null, 2));
  console.error(known ? message : error);
  if (remedy !== null) console.error(remedy);
  if (!usage) return 1;
  const listed = name === undefined || name === "help";
  console.error(listed ? "npx brink help lists them" : `npx brink help ${name} says more`);
  return WRONG_USE;
}

function readVersion(): string {
  const path = join(import.meta.dirname, "../package.json");
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}
