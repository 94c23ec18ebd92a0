/** What files, pages and services say reaches the terminal as text in its place: it moves no
 *  cursor, sets no title, and starts no line that looks like the command's own. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Check } from "../../cli/check.ts";
import { doctor } from "../../cli/doctor.ts";
import { ingest } from "../../cli/ingest.ts";
import { readLabelled } from "../../cli/router-data.ts";
import { search } from "../../cli/search.ts";
import { oneLine, printable, table } from "../../cli/table.ts";
import { runBrink } from "../support/brink-cli.ts";
import { FakeBrink } from "./fake-brink.ts";
import { runCommand } from "./said.ts";

/** Sets a terminal's title, clears it in the 7 and in the 8 bit form, and forges a line. */
const EVIL = "\u001b]0;owned\u0007\u001b[2J\u009b2J\r\ndocs: 1 stored\u007f";
const SHOWN = "]0;owned[2J2J docs: 1 stored";
/** A terminal obeys these; the first two of all controls only place what follows. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are looked for
const COMMANDS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

let folder: string;
let service: FakeBrink;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "brink-terminal-"));
  service = await new FakeBrink().start();
});
afterEach(() => {
  service.stop();
  rmSync(folder, { recursive: true, force: true });
});

it("an ingest's errors have a line each, whatever the file's name and text", async () => {
  mkdirSync(join(folder, "d"));
  writeFileSync(join(folder, "d", `${EVIL}.json`), `{"id": ${EVIL}}`);
  writeFileSync(join(folder, "d", `${EVIL}.txt`), Uint8Array.of(0xe9));
  const values = { namespace: "docs", create: true, url: service.url };
  const { said } = await runCommand(ingest, [join(folder, "d")], values);
  expect(said).not.toMatch(COMMANDS);
  const lines = said.split("\n").filter((line) => !line.startsWith("ingest: "));
  expect(lines).toEqual([
    expect.stringContaining(`${SHOWN}.json: it is not JSON: `),
    `${SHOWN}.txt: it is not UTF-8`,
  ]);
});

it("what ends a command is told without them, with --json too", async () => {
  const missing = join(folder, EVIL);
  const args = ["ingest", missing, "--namespace", "docs", "--json"];
  const { code, out, said } = await runBrink(args, { BRINK_URL: service.url });
  expect(code).toBe(1);
  expect(out).not.toMatch(COMMANDS);
  expect(JSON.parse(out).error.message).toBe(`${missing} does not exist`);
  expect(said).not.toMatch(COMMANDS);
  expect(said).toContain("owned");
});

it("a service's refusal is one line", async () => {
  const error = { message: EVIL, code: "conflict", type: "x", param: null };
  service.canned.set("GET /admin/namespaces", [{ status: 409, body: { error } }]);
  const { said } = await runBrink(["namespaces", "list"], { BRINK_URL: service.url });
  expect(said).toBe(`${SHOWN} (conflict)\n`);
});

it("the doctor's checks have a line each, whoever answers", async () => {
  const error = { message: EVIL, code: "strange" };
  service.canned.set("GET /healthz", [{ status: 500, body: { error } }]);
  const { out, result } = await runCommand(doctor, [], { url: service.url, profile: undefined });
  expect(out).toContain(SHOWN);
  for (const command of ["\u001b]", "\u001b[2J", "\u009b"]) expect(out).not.toContain(command);
  const { checks } = result as { checks: Check[] };
  const remedies = checks.filter(({ remedy }) => remedy !== null).length;
  expect(out.split("\n")).toHaveLength(checks.length + remedies + 1);
});

it("a hit's id, title and terms stay in their lines", async () => {
  const hit = { document_id: EVIL, title: EVIL, text: "t", score: 1, heading_path: [] };
  const explain = { bm25: 1, bm25_terms: [{ term: EVIL, contribution: 1, tf: 1, df: 1 }] };
  const body = { hits: [{ ...hit, explain }], took_ms: 1 };
  service.canned.set("POST /v1/memory/search", [{ status: 200, body }]);
  const { out } = await runCommand(search, ["docs", "x"], { url: service.url });
  expect(out).not.toMatch(COMMANDS);
  expect(out.split("\n").filter((line) => line.startsWith("docs:"))).toEqual([]);
});

it("faulty lines of labelled questions are quoted as one line", async () => {
  const path = join(folder, "labels.jsonl");
  const right = '{"question": "When?", "answer": "now"}';
  writeFileSync(path, `{"question": ${EVIL.replaceAll("\n", " ")}}\n${right}\n`);
  const command = { run: () => readLabelled({ data: path, "skip-faulty": true }) };
  const { said } = await runCommand(command as never, [], {});
  expect(said).toContain("it is not JSON");
  expect(said).not.toMatch(COMMANDS);
});

it("a cell of a table is one line, and a text keeps its line breaks and tabs", () => {
  expect(table([[`a\tb${EVIL}`, 1]])).toBe(`a b${SHOWN}  1`);
  expect(oneLine("  a\u2028\u0085b\n")).toBe("  a b ");
  expect(printable("a\tb\nc\r\u001b")).toBe("a\tb\nc");
});

it("a signal in the middle of a bar leaves the terminal with its cursor", async () => {
  const path = join(import.meta.dirname, "../../cli/progress.ts");
  const program = `
    process.stderr.isTTY = true;
    const { startProgress } = await import(${JSON.stringify(path)});
    startProgress("ingest", 10, false).update(5);
    setInterval(() => process.kill(process.pid, "SIGINT"), 10);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    env: { ...process.env, TERM: "xterm" },
  });
  let said = "";
  child.stderr.on("data", (text) => {
    said += text;
  });
  const signal = await new Promise((done) => child.once("close", (_, by) => done(by)));
  expect(signal).toBe("SIGINT");
  const [hidden, shown] = [said.lastIndexOf("\u001b[?25l"), said.lastIndexOf("\u001b[?25h")];
  expect(hidden).toBeGreaterThan(-1);
  expect(shown).toBeGreaterThan(hidden);
});
