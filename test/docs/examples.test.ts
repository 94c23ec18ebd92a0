/** Every example of README.md and docs/ that can run here is run, as it stands there, in the order
 *  of the pages and against one service with a backend. A comment above an example may say
 *  `not run: WHY`; `where: ID=$(...)`, what a word stands for; `prints: TEXT`, what it must
 *  print. */
import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readDocumentation } from "../../scripts/documentation.ts";
import { fill, START_MS_MAX } from "../support/running-service.ts";
import { type Backed, startWithBackend } from "../support/service-with-backend.ts";
import { type Example, examplesOf, PAGES, root } from "./markdown.ts";

const EXAMPLE_MS_MAX = 60_000;
/** What the examples ask about; all pages would take a minute to embed. */
const ASKED = /^(README\.md|docs\/using-the-api\.md#(keys|rating-answers)$)/;
const PYTHON = process.env.BRINK_PYTHON;

const examples = PAGES.flatMap(examplesOf);
let served: Backed;
/** Below the project, so that its packages are found from there. */
let folder: string;

beforeAll(async () => {
  served = await startWithBackend();
  const pages = readDocumentation(root).filter(({ id }) => ASKED.test(id));
  await fill(served.service, "docs", pages);
  mkdirSync(join(root, "build"), { recursive: true });
  folder = mkdtempSync(join(root, "build/examples-"));
  mkdirSync(join(folder, "handbook"));
  writeFileSync(
    join(folder, "handbook/leave.md"),
    "# Leave\n\nStaff have 28 days of leave. What is left ends with March.\n",
  );
  tool(
    "npx",
    `[ "$1" = brink ] && shift && exec "${process.execPath}" "${root}/bin/brink.js" "$@"`,
  );
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
  tool("curl", 'PATH="${PATH#*:}"; exec curl --fail-with-body "$@"');
}, START_MS_MAX);

afterAll(async () => {
  await served?.stop();
  if (folder) rmSync(folder, { recursive: true });
});

/** A command that examples find before others of its name. */
function tool(name: string, script: string): void {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

it("every example is run, or says why not", () => {
  expect(examples.filter(({ notRun }) => notRun === null).length).toBeGreaterThan(10);
  for (const { at, notRun } of examples) if (notRun !== null) expect(notRun, at).toMatch(/\w+ \w+/);
});

for (const example of examples.filter(({ notRun }) => notRun === null)) {
  const why = example.language === "python" && !PYTHON ? " (skipped: BRINK_PYTHON is not set)" : "";
  it.skipIf(why !== "")(
    `${example.at} runs${why}`,
    async () => {
      const printed = await run(example);
      expect(printed).not.toMatch(/"error": ?\{/);
      if (example.prints !== null) expect(printed).toContain(example.prints);
    },
    EXAMPLE_MS_MAX,
  );
}

async function run({ language, code, where }: Example): Promise<string> {
  const here = code.replaceAll("http://127.0.0.1:8787", served.service.url);
  const exec = promisify(execFile);
  const options = { cwd: folder, env: environment(), timeout: EXAMPLE_MS_MAX };
  if (language === "javascript") {
    writeFileSync(join(folder, "example.mjs"), here);
    return (await exec(process.execPath, ["example.mjs"], options)).stdout;
  }
  if (language === "python") return (await exec(PYTHON!, ["-c", here], options)).stdout;
  const names = Array.from((where ?? "").matchAll(/\b([A-Z]+)=/g), ([, name]) => name!);
  const script = names.reduce(
    (text, name) => text.replace(new RegExp(`\\b${name}\\b`, "g"), `"$${name}"`),
    here,
  );
  const whole = ["set -eo pipefail", where ?? "", script].join("\n");
  return (await exec("bash", ["-c", whole], options)).stdout;
}

/** The tools above first, the service of the test, and nothing of whoever runs it. */
function environment(): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env;
  return {
    PATH: `${folder}:${dirname(process.execPath)}:${PATH}`,
    HOME,
    BRINK_URL: served.service.url,
    BRINK_CONFIG: join(folder, "config.json"),
  };
}
