/** RouteLLM's labels: prompts of MMLU and GSM8K, and whether each of two models was right. */
import { createReadStream, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readCsv } from "../cli/csv.ts";
import type { Labelled } from "./routing-curve.ts";

export const WEAK = "mistralai/Mixtral-8x7B-Instruct-v0.1";
export const STRONG = "gpt-4-1106-preview";
const RECORD_CHARS_MAX = 100_000;

export interface LabelledPrompt extends Labelled {
  /** The MMLU subject, or gsm8k. */
  subject: string;
  prompt: string;
}

/** MMLU's subjects in the folder `mmlu` of `folder`, without the contaminated prompts. */
export async function readMmlu(folder: string): Promise<LabelledPrompt[]> {
  const at = join(folder, "mmlu");
  const skip = contaminated(at);
  const files = readdirSync(at).filter((name) => name.endsWith(".csv"));
  const subjects = await Promise.all(
    files.sort().map((name) => readLabels(join(at, name), name.slice("mmlu_".length, -4), skip)),
  );
  return subjects.flat();
}

/** GSM8K's test questions, without the contaminated ones. */
export function readGsm8k(folder: string): Promise<LabelledPrompt[]> {
  const at = join(folder, "gsm8k");
  return readLabels(join(at, "gsm8k_responses.csv"), "gsm8k", contaminated(at));
}

function contaminated(folder: string): Set<string> {
  const lines = readFileSync(join(folder, "contaminated_prompts.jsonl"), "utf8").trim().split("\n");
  return new Set(lines.map((line) => (JSON.parse(line) as { eval_prompt: string }).eval_prompt));
}

async function readLabels(
  path: string,
  subject: string,
  skip: ReadonlySet<string>,
): Promise<LabelledPrompt[]> {
  const labelled: LabelledPrompt[] = [];
  let columns: string[] | null = null;
  for await (const { fields, fault, line } of readCsv(
    createReadStream(path, "utf8"),
    RECORD_CHARS_MAX,
  )) {
    if (fault !== null) throw new Error(`${path}:${line}: ${fault}`);
    if (columns === null) {
      columns = fields;
      continue;
    }
    const value = (name: string) => fields[columns!.indexOf(name)]!;
    const prompt = value("prompt");
    if (skip.has(prompt)) continue;
    labelled.push({
      subject,
      prompt,
      weakRight: value(WEAK) === "True",
      strongRight: value(STRONG) === "True",
    });
  }
  return labelled;
}
