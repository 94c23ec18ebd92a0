/** What `npm start` hands on: no variable that the Worker reads may be left out. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { FORWARDED, forwardedFrom } from "../../scripts/forwarded.ts";
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
