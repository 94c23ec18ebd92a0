/** What the repository's own programs, as `npm run bench` and `torture`, are called with. */
import { type ParseArgsConfig, parseArgs } from "node:util";

const WRONG_USE = 2;

/** A program was called wrongly: endWrongUse says so. */
export class WrongUse extends Error {}

/** Says what is wrong and where help is, and ends the process with 2. */
export function endWrongUse(problem: string): never {
  console.error(`${problem}\n-- --help lists the words and options`);
  process.exit(WRONG_USE);
}

/** The process's words and options. Ends it with the help where that is asked for, and with 2 for
 *  what there is not, or more than `wordsMax` words. */
export function readProgram<O extends NonNullable<ParseArgsConfig["options"]>>(
  help: string,
  options: O,
  wordsMax = 0,
) {
  const { values, positionals } = parse(options);
  if ((values as { help?: boolean }).help) {
    console.log(help);
    process.exit();
  }
  const more = positionals.slice(wordsMax);
  if (more.length > 0) endWrongUse(`unexpected ${more.join(" ")}`);
  return { values, positionals };
}

function parse<O extends NonNullable<ParseArgsConfig["options"]>>(options: O) {
  try {
    const all = { ...options, help: { type: "boolean", short: "h" } } as const;
    return parseArgs({ options: all as O, allowPositionals: true });
  } catch (error) {
    return endWrongUse((error as Error).message);
  }
}

/** Throws WrongUse where one of the names is of no part. */
export function refuseUnknown(whole: string, names: readonly string[], parts: object): void {
  const unknown = names.filter((name) => !Object.hasOwn(parts, name));
  if (unknown.length === 0) return;
  const known = Object.keys(parts).join(", ");
  throw new WrongUse(`${whole} has no part ${unknown.join(", ")}: it has ${known}`);
}

/** The number that the option's text is, or `otherwise` without one. Ends the process with 2 where
 *  it is none: work of NaN cases would do nothing and find nothing. */
export function readNumber(
  option: string,
  text: string | undefined,
  otherwise: number,
  { min = 1, whole = true }: { min?: number; whole?: boolean } = {},
): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (text.trim() !== "" && value >= min && (whole ? Number.isSafeInteger(value) : value < 1e9))
    return value;
  const kind = whole ? "a whole number" : "a number";
  return endWrongUse(`--${option} is ${kind} from ${min}, not ${JSON.stringify(text)}`);
}
