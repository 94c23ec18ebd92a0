/** What every command of the CLI is made of. */
import { parseArgs } from "node:util";

/** Wrong use: main.ts prints the message and where help is, and exits with 2. */
export class UsageError extends Error {}

/** A failure that the message explains: main.ts prints it alone, and exits with 1. */
export class CommandError extends Error {}

export interface CommandOption {
  type: "string" | "boolean";
  /** What stands for a string's value in the help. */
  value?: string;
  help: string;
}

export interface Values {
  [name: string]: string | boolean | undefined;
}

export interface Command {
  /** The words that call it, e.g. `models add`. */
  name: string;
  /** Its positional arguments, as help shows them. */
  args: string;
  summary: string;
  /** What its own help says beyond the summary. */
  description?: string;
  options: Record<string, CommandOption>;
  /** What `--json` prints; without it the command has printed for people. */
  run(positionals: string[], values: Values): Promise<unknown>;
  /** Whether the result is a failure in part, which exits with 1; omitted: never. */
  failed?(result: unknown): boolean;
}

/** Options of every command that calls a service. */
export const SERVICE_OPTIONS: Record<string, CommandOption> = {
  url: { type: "string", value: "URL", help: "the service (BRINK_URL, or http://127.0.0.1:8787)" },
  key: { type: "string", value: "KEY", help: "an admin key (BRINK_KEY, or the local brink-admin)" },
};

const COMMON: Record<string, CommandOption> = {
  json: { type: "boolean", help: "print one JSON document and nothing else" },
  help: { type: "boolean", help: "print this" },
};

/** A whole number of the option's, or `otherwise`. Throws UsageError outside of its bounds. */
export function countOf(
  values: Values,
  name: string,
  otherwise: number,
  min: number,
  max: number,
): number {
  const value = values[name] === undefined ? otherwise : Number(values[name]);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new UsageError(`--${name} is a number from ${min} to ${max}`);
}

/** Parses what follows the command's name. Throws UsageError. */
export function parseCommand(command: Command, args: string[]) {
  const options = { ...command.options, ...COMMON };
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    return { values: values as Values, positionals };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** A command's own help. */
export function describeCommand(command: Command): string {
  const options = Object.entries({ ...command.options, ...COMMON });
  const flags = options.map(([name, { value }]) => `--${name}${value ? ` ${value}` : ""}`);
  const width = Math.max(...flags.map(({ length }) => length));
  const lines = options.map(([, { help }], i) => `  ${flags[i]!.padEnd(width)}  ${help}`);
  const head = `usage: npx brink ${command.name} ${command.args}`.trimEnd();
  const about = [command.summary, command.description ?? ""].join("\n").trimEnd();
  return `${head}\n\n${about}\n\n${lines.join("\n")}`;
}
