/** What `npm start` hands on: no variable that the Worker reads may be left out. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { unstable_getVarsForDev } from "wrangler";
import { FORWARDED, forwardedFrom, readSwitch, toEnvFile } from "../../scripts/forwarded.ts";
import { PAGES, readPage, root } from "../docs/markdown.ts";

/** The texts and numbers among the Worker's bindings, wherever a part of it declares them. */
function readVariables(): string[] {
  const names = new Set<string>();
  for (const path of readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })) {
    if (!path.endsWith(".ts")) continue;
    const source = readFileSync(join(root, "src", path), "utf8");
    for (const [, name] of source.matchAll(/^ +([A-Z][A-Z0-9_]+)\?: (?:string|NumberVariable);$/gm))
      names.add(name!);
  }
  return [...names];
}

it("npm start forwards every variable that the Worker reads, and no other", () => {
  const read = readVariables();
  expect(read.length).toBeGreaterThan(20);
  expect([...FORWARDED].sort()).toEqual(read.filter((name) => name !== "BRINK_LOCAL").sort());
});

it("every variable that is forwarded is in the documentation", () => {
  const pages = PAGES.map(readPage).join("\n");
  expect(FORWARDED.filter((name) => !new RegExp(`\\b${name}\\b`).test(pages))).toEqual([]);
});

it("what is set is forwarded, 0 too, with the secrets that BACKENDS names and nothing else", () => {
  const BACKENDS = '[{"name": "a", "key_secret": "A_KEY"}, {"name": "b", "key_secret" : "B_KEY"}]';
  const set = { BACKENDS, A_KEY: "a", BRINK_TRACE_SAMPLE: "0", LEDGER_UNREACHABLE: "allow" };
  expect(forwardedFrom({ ...set, BACKEND_URL: "", PATH: "/bin", HOME: "/" })).toEqual(set);
});

it("wrangler reads from the file what was set, dollars and backslashes too", () => {
  const values = [
    "a$b",
    "$$",
    `x\${HOME}y`,
    "\\$HOME",
    "\\n",
    "b\\ck",
    "#x",
    ' "q" ',
    '[{"a": 1}]',
  ];
  const set = Object.fromEntries(values.map((value, i) => [`V${i}`, value]));
  const folder = mkdtempSync(join(tmpdir(), "brink-variables-"));
  try {
    const file = join(folder, "variables.env");
    writeFileSync(file, toEnvFile(set));
    const config = join(root, "wrangler.toml");
    const read = unstable_getVarsForDev(config, [file], {}, undefined, true);
    const told = Object.entries(read).map(([name, { value }]) => [name, value]);
    expect(Object.fromEntries(told)).toEqual(set);
  } finally {
    rmSync(folder, { recursive: true });
  }
  for (const BACKEND_KEY of ["a'b", "a\nb", "a\\"])
    expect(() => toEnvFile({ BACKEND_KEY })).toThrow(/BACKEND_KEY must hold no quote/);
});

it("a switch is on or off in any usual spelling, and others are refused", () => {
  for (const on of ["1", "true", "YES", " on "]) expect(readSwitch("A", on)).toBe(true);
  for (const off of [undefined, "", "0", "False", "no", "off"])
    expect(readSwitch("A", off)).toBe(false);
  expect(() => readSwitch("A", "2")).toThrow('A is 1 or 0, not "2"');
});
