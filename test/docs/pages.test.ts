/** What the pages name is there: links, files, commands, and the pages in their map. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, it } from "vitest";
import { COMMANDS } from "../../cli/commands.ts";
import { readDocumentation } from "../../scripts/documentation.ts";
import { FORWARDED } from "../../scripts/forwarded.ts";
import { BrinkReply } from "../../src/api/schema/replies.ts";
import { ERROR_CODES } from "../../src/errors.ts";
import { PAGES, readPage, root } from "./markdown.ts";

/** GitHub's anchors of a page's headings. */
function anchorsOf(path: string): string[] {
  return Array.from(readPage(path).matchAll(/^#+ (.+)$/gm), ([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

/** What `pattern` finds in the pages for which `holds` is false, as `page: finding`. */
function wrong(pattern: RegExp, holds: (found: string, page: string) => boolean): string[] {
  return PAGES.flatMap((page) =>
    Array.from(readPage(page).replace(/\n\s*/g, " ").matchAll(pattern), ([, found]) => found!)
      .filter((found) => !holds(found, page))
      .map((found) => `${page}: ${found}`),
  );
}

it("every link between pages leads to a file, and to a heading where it names one", () => {
  const bad = wrong(/\[[^\]]*[a-z][^\]]*\]\(((?!https?:)[^)\s]+)\)/g, (link, page) => {
    const [file = "", anchor] = link.split("#");
    const path = file === "" ? page : normalize(join(dirname(page), file));
    if (!existsSync(join(root, path))) return false;
    return anchor === undefined || anchorsOf(path).includes(anchor);
  });
  expect(bad).toEqual([]);
});

it("every page and source file that a page names is there", () => {
  const named =
    /(?<![\w/])((?:docs|src|index|models|scripts|test|bench|eval|train|cli)\/[\w./-]+\.\w+)\b/g;
  expect(wrong(named, (path) => existsSync(join(root, path)))).toEqual([]);
});

it("every `npm run` that a page names is a script", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  expect(wrong(/npm run (?:--silent )?([a-z][\w:]*)/g, (name) => name in scripts)).toEqual([]);
});

it("every `npx brink` that a page names is a command", () => {
  const names = COMMANDS.map(({ name }) => name);
  const bad = wrong(/npx brink ([a-z]+(?: [a-z]+)?)/g, (words) => {
    const [first = ""] = words.split(" ");
    if (first === "help" || names.includes(words) || names.includes(first)) return true;
    return words === first && names.some((name) => name.startsWith(`${first} `));
  });
  expect(bad).toEqual([]);
});

it("the map of the pages has each of them", () => {
  const map = readPage("docs/README.md");
  const pages = PAGES.filter((path) => path.startsWith("docs/") && path !== "docs/README.md");
  expect(pages.filter((path) => !map.includes(`](${path.replace("docs/", "")})`))).toEqual([]);
});

it("every variable, every error code and every field of `brink` has its row", () => {
  const rowsOf = (page: string) =>
    readPage(page)
      .split("\n")
      .filter((line) => line.startsWith("|"));
  const lacking = (names: string[], page: string) =>
    names.filter((name) => !rowsOf(page).some((row) => row.includes(`\`${name}\``)));
  const variables = FORWARDED.filter((name) => name !== "BRINK_PRELOAD"); // of local runs alone
  expect(lacking(variables, "docs/operations.md")).toEqual([]);
  expect(lacking(Object.keys(ERROR_CODES), "docs/using-the-api.md")).toEqual([]);
  expect(lacking(Object.keys(BrinkReply.shape), "docs/using-the-api.md")).toEqual([]);
});

it("what is loaded into memory has words for readers: no comment, and no example that asks", () => {
  const loaded = readDocumentation(root);
  const texts = loaded.map(({ text }) => text).join("\n");
  expect(loaded.length).toBeGreaterThan(100);
  expect(texts).not.toContain("<!--");
  expect(texts).not.toContain("How long does a revoked key go on working?");
  expect(texts).toContain("Local runs use two fixed keys"); // what stands around such examples
  expect(texts).toContain("npx brink search handbook"); // and examples that ask nothing
});
