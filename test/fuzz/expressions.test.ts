/** No regular expression that meets what others wrote takes more than linear time on it. */
import { analyse } from "scslre";
import { expect, it, vi } from "vitest";
import { toyBpe } from "../model/toy-vocabulary.ts";
import { type Expression, madeDuring, writtenExpressions } from "./expressions.ts";

const { literals, makers } = writtenExpressions();

/** By file: what makes all of its expressions. The modules are loaded anew, so that those which
 *  are made as a module is loaded are made again. */
const MAKE: Record<string, () => Promise<unknown>> = {
  "index/near-duplicates.ts": () => import("../../index/near-duplicates.ts"),
  "index/terms.ts": () => import("../../index/terms.ts"),
  "src/env.ts": () => import("../../src/env.ts"),
  "src/generation/regex.ts": async () => {
    const { parsePattern } = await import("../../src/generation/regex.ts");
    return parsePattern("\\p{Script=Thai}\\P{L}", "schema");
  },
  "src/model/bounded-jinja.ts": async () => {
    const { BoundedTemplate } = await import("../../src/model/bounded-jinja.ts");
    return new BoundedTemplate("{{ x }}", (text) => text);
  },
  "src/model/chat-template.ts": async () => {
    const { ChatTemplate } = await import("../../src/model/chat-template.ts");
    const { loadTokenizer } = await import("../../src/model/tokenizer.ts");
    const controls = ["<|im_start|>", "<|im_end|>", "(a+)+$", "[^\\]*", "^-x{2,}/"];
    const metadata = toyBpe({ controls });
    return ChatTemplate.from(metadata, loadTokenizer(metadata));
  },
  "src/model/pretokenize.ts": () => import("../../src/model/pretokenize.ts"),
  "src/pipeline/notes-match.ts": () => import("../../src/pipeline/notes-match.ts"),
  "src/pipeline/prompt.ts": () => import("../../src/pipeline/prompt.ts"),
  "src/pipeline/question-pieces.ts": () => import("../../src/pipeline/question-pieces.ts"),
  "src/pipeline/redact.ts": () => import("../../src/pipeline/redact.ts"),
  "src/router/features-answer.ts": () => import("../../src/router/features-answer.ts"),
};

/** Whether a run of the character, of any length, is few matches: a try that fails at its start, in
 *  time that is linear in the run, is then not repeated from every place in it. So it is in
 *  pre-tokenizers, whose last alternative takes what white space the others leave. */
function takesRunsWhole(regex: RegExp, character: string): boolean {
  if (!regex.source.endsWith("|\\p{White_Space}+")) return false;
  return [...`a${character.repeat(1_000)}b`.matchAll(regex)].length <= 4;
}

/** What of an expression takes time that is more than linear in a run of one character. */
function faultsOf({ place, regex }: Expression): string[] {
  const { reports } = analyse(regex);
  const slow = reports.filter(({ type, character }) => {
    return type !== "Move" || !takesRunsWhole(regex, character.pick);
  });
  return slow.map(({ type, character, exponential }) => {
    const kind = exponential ? "exponential" : "polynomial";
    return `${place}: ${regex} is ${kind} (${type}) in ${JSON.stringify(character.pick)}`;
  });
}

it("the analysis finds what it is for", () => {
  const slow = [/(a+)+$/, /^\s*(\w+\s*)*:$/, /\s+$/, /<(?=\s*\/?\s*x)/, /a*b?a*c/];
  for (const regex of slow) expect(faultsOf({ place: "here", regex }), `${regex}`).not.toEqual([]);
  expect(faultsOf({ place: "here", regex: /(?<!\s)\s+$/ })).toEqual([]);
  const eager = /\p{White_Space}*!|\p{White_Space}|\p{L}|\p{White_Space}+/gu;
  expect(faultsOf({ place: "here", regex: eager })).not.toEqual([]);
});

it("no expression in the source is more than linear in a run of one character", () => {
  expect(literals.length).toBeGreaterThan(200);
  expect(literals.flatMap(faultsOf)).toEqual([]);
});

it("nor is one that is made while the service runs", async () => {
  expect(Object.keys(MAKE).sort()).toEqual(makers);
  for (const [file, make] of Object.entries(MAKE)) {
    vi.resetModules();
    const made = await madeDuring(file, make);
    expect(made, file).not.toEqual([]);
    expect(made.flatMap(faultsOf)).toEqual([]);
  }
});
