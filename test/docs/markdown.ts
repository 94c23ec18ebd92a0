/** The pages for readers, and the examples that stand in them. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "../..");

/** README.md and docs/*.md, as they are in the working tree. */
export const PAGES = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "*.md"], {
  cwd: root,
})
  .toString()
  .trim()
  .split("\n")
  .filter((path) => /^(README|docs\/[\w-]+)\.md$/.test(path) && existsSync(join(root, path)))
  .sort();

export const readPage = (path: string) => readFileSync(join(root, path), "utf8");

export interface Example {
  /** Page and line, for a test's name. */
  at: string;
  language: "shell" | "javascript" | "python";
  code: string;
  /** Why it is not run, of the comment above it; null where it is run. */
  notRun: string | null;
  /** Shell that says what its capital words mean, as `ID=$(...)`; null for none. */
  where: string | null;
  /** What its output must have; null where ending well is enough. */
  prints: string | null;
}

const SHELL = /^(\w+=\S+ )*\$?(curl|npx|npm|node|git|alias|printf|schemathesis|\w+=\S*;?) ?/;

/** What a fence says of itself. */
const LANGUAGES: Record<string, Example["language"] | undefined> = {
  ...{ sh: "shell", bash: "shell", shell: "shell", console: "shell" },
  ...{ js: "javascript", javascript: "javascript", mjs: "javascript" },
  ...{ py: "python", python: "python" },
};

/** What a page shows to be typed or run: fences of a language, and blocks that look like it. */
export function examplesOf(path: string): Example[] {
  const lines = readPage(path).split("\n");
  const found: Example[] = [];
  for (let i = 0; i < lines.length; i++) {
    const fence = /^```(\w*)$/.exec(lines[i]!);
    const indented = /^ {4}\S/.test(lines[i]!) && (lines[i - 1] ?? "").trim() === "";
    if (!fence && !indented) continue;
    const end = fence ? lines.indexOf("```", i + 1) : endOfBlock(lines, i);
    const block = lines.slice(fence ? i + 1 : i, end);
    const code = fence ? block.join("\n") : block.map((line) => line.slice(4)).join("\n");
    const language = LANGUAGES[fence?.[1] ?? ""] ?? languageOf(code);
    if (language !== null)
      found.push({ at: `${path}:${i + 1}`, language, code, ...markOf(lines, i) });
    i = end;
  }
  return found;
}

function endOfBlock(lines: readonly string[], from: number): number {
  let end = from;
  while (end < lines.length && /^( {4}|$)/.test(lines[end]!)) end++;
  while (lines[end - 1] === "") end--;
  return end;
}

function languageOf(code: string): Example["language"] | null {
  if (/^from \w+ import /.test(code)) return "python";
  if (/^(import .* from "|const )/.test(code)) return "javascript";
  return SHELL.test(code) ? "shell" : null;
}

/** The comments right above a block, in any order. */
function markOf(lines: readonly string[], from: number) {
  const mark = { notRun: null, where: null, prints: null } as Record<string, string | null>;
  for (let i = from - 1; i >= 0; i--) {
    if (lines[i]!.trim() === "") continue;
    const comment = /^<!-- (not run|where|prints): (.+) -->$/.exec(lines[i]!);
    if (comment === null) break;
    mark[comment[1] === "not run" ? "notRun" : comment[1]!] = comment[2]!;
  }
  return mark as Pick<Example, "notRun" | "where" | "prints">;
}
