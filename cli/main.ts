/** `npx brink`: the command line for operators. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { ReplyError } from "./client.ts";
import { type Command, CommandError, parseCommand, UsageError } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { describeCommand, findCommand, refuseUnknown, spellHelp } from "./help.ts";
import { remedyFor } from "./remedies.ts";
import { oneLine, printable } from "./table.ts";

const WRONG_USE = 2;

// Whoever reads may stop, as head does. What is left has no reader, and that is no failure; but the
// command goes on, and the status says how that ended. stderr has no reader to tell.
let readerLeft = false;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  readerLeft ||= error.code === "EPIPE";
  if (readerLeft) return;
  console.error(`stdout cannot be written to: ${error.message}`);
  process.exit(1);
});
process.stderr.on("error", () => {});
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
  const code = command.exitCode?.(result) ?? 0; // before the result: what fails prints one as well
  if (values.json) console.log(toJson(result));
  return code;
}

/** As JSON that is also safe to look at: JSON.stringify leaves DEL and the C1 controls as they are,
 *  and a terminal may obey those. */
function toJson(value: unknown): string | undefined {
  return JSON.stringify(value, null, 2)?.replace(/[\u007f-\u009f]/g, (control) => {
    return `\\u00${control.charCodeAt(0).toString(16)}`;
  });
}

/** Says it on stderr, and with --json on stdout as a document. A message may quote a file, a page
 *  or a service, which must not command the terminal. */
function fail(error: unknown, name: string | undefined, json: boolean): number {
  const usage = error instanceof UsageError;
  const known = usage || error instanceof CommandError || (error as Error)?.name === "ServiceError";
  const message = error instanceof Error ? error.message : String(error);
  const code = usage ? "usage" : ((error as { code?: string | null })?.code ?? null);
  const remedy = (error as { remedy?: string | null })?.remedy ?? remedyFor(code);
  if (json) console.log(toJson({ error: { message, code, remedy } }));
  if (error instanceof ReplyError) console.error(oneLine(message));
  else console.error(printable(known ? message : inspect(error)));
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
