/** What every command of the CLI is made of. */
import { parseArgs } from "node:util";
import { CLI_CALL_S, CLI_LONG_CALL_S } from "./limits.ts";
import { nearest } from "./nearest.ts";

/** Wrong use: main.ts prints the message and where help is, and exits with 2. */
export class UsageError extends Error {}

/** A failure that the message explains: main.ts prints it alone, and exits with 1. */
export class CommandError extends Error {
  /** The stable code of the service's refusal; null: the failure is not the service's. */
  readonly code: string | null = null;
  /** What to do, where this command knows better than the code says (remedies.ts). */
  remedy: string | null = null;
}

export interface CommandOption {
  type: "string" | "boolean";
  /** What stands for a string's value in the help. */
  value?: string;
  /** All the values that a string may have. */
  choices?: readonly string[];
  short?: string;
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
  /** All the values that its first positional argument may have. */
  choices?: readonly string[];
  /** All the values that its second one may have. */
  verbs?: readonly string[];
  options: Record<string, CommandOption>;
  /** What `--json` prints; without it the command has printed for people. */
  run(positionals: string[], values: Values): Promise<unknown>;
  /** What the process exits with, by the result; omitted: 0. */
  exitCode?(result: unknown): number;
}

/** Options of every command that calls a service. */
export const SERVICE_OPTIONS = serviceOptions("an admin key");

/** The same, where another key than an administrator's will do: `key` says which, and `waits` how
 *  long a call's reply may send nothing where no option says so. */
export function serviceOptions(
  key: string,
  waits = `${CLI_CALL_S}, ${CLI_LONG_CALL_S} for answers and uploads`,
): Record<string, CommandOption> {
  return {
    url: {
      type: "string",
      value: "URL",
      help: "the service (BRINK_URL, or http://127.0.0.1:8787)",
    },
    key: { type: "string", value: "KEY", help: `${key} (BRINK_KEY, or the local brink-admin)` },
    profile: {
      type: "string",
      value: "NAME",
      help: "a service that brink init wrote down (BRINK_PROFILE, or the one in use)",
    },
    timeout: {
      type: "string",
      value: "S",
      help: `give up where nothing comes for S seconds (${waits})`,
    },
  };
}

const COMMON: Record<string, CommandOption> = {
  json: { type: "boolean", help: "print one JSON document and nothing else" },
  help: { type: "boolean", short: "h", help: "print this" },
};

/** Every option that the command takes, those that all take last. */
export function optionsOf(command: Command): Record<string, CommandOption> {
  return { ...command.options, ...COMMON };
}

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

/** The number that an option's text is; `word` is what else it may say. Throws UsageError. */
export function numberOf(option: string, text: string, word?: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  const allowed = oneOf(["a number", ...(word === undefined ? [] : [word])]);
  throw new UsageError(`--${option} is ${allowed}, not ${JSON.stringify(text)}`);
}

/** Parses what follows the command's name. Throws UsageError. */
export function parseCommand(command: Command, args: string[]) {
  const options = optionsOf(command);
  const { values, positionals } = parse(options, args);
  for (const [name, { choices }] of Object.entries(options)) {
    const value = values[name];
    if (choices !== undefined && typeof value === "string" && !choices.includes(value))
      throw new UsageError(`--${name} is ${oneOf(choices)}, not ${JSON.stringify(value)}`);
  }
  return { values, positionals };
}

function parse(options: Record<string, CommandOption>, args: string[]) {
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    return { values: values as Values, positionals };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const unknown = /^Unknown option '(-[^']+)'/.exec(message)?.[1];
    if (code !== "ERR_PARSE_ARGS_UNKNOWN_OPTION" || unknown === undefined)
      throw new UsageError(message);
    const near = nearest(unknown.replace(/^-+/, ""), Object.keys(options));
    throw new UsageError(`unknown option ${unknown}${near ? `: did you mean --${near}?` : ""}`);
  }
}

/** `a, b or c` */
export function oneOf(choices: readonly string[]): string {
  return [choices.slice(0, -1).join(", "), choices.at(-1)].filter((part) => part).join(" or ");
}
