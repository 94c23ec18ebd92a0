/** The API's reference: docs/api.md is the schemas', and tells readers what they need. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { apiPage } from "../../scripts/api-docs.ts";
import { fieldsTable } from "../../scripts/api-fields.ts";
import { ERROR_CODES } from "../../src/errors.ts";

const root = resolve(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const page = await apiPage();
const [operations = ""] = page.split("\n## Shapes\n");

it("docs/api.md says what the schemas do: `npm run docs` makes it", () => {
  expect(read("docs/api.md") === page).toBe(true);
});

it("every link within the page leads somewhere, and to one place", () => {
  const anchors = Array.from(page.matchAll(/^#{2,3} (.+)$/gm), ([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
  expect(new Set(anchors).size).toBe(anchors.length);
  const links = Array.from(page.matchAll(/\]\(#([^)]+)\)/g), ([, anchor]) => anchor!);
  expect(links.length).toBeGreaterThan(150);
  expect(links.filter((anchor) => !anchors.includes(anchor))).toEqual([]);
});

it("every parameter and every field of a body says what it is for, or refers to a shape", () => {
  const silent = Array.from(operations.matchAll(/^\| `([\w-]+)`[^|]*\| ([^|]*) \|\s*\|$/gm));
  const left = silent.filter(([, , type]) => !type!.includes("](#"));
  expect(left.map(([, name, type]) => `${name}: ${type}`)).toEqual([]);
});

it("every error code is some operation's, and is explained with its status", () => {
  const [, tail = ""] = page.split("\n## Errors\n");
  const common = tail.slice(0, tail.indexOf("| status"));
  const explained = read("docs/using-the-api.md");
  for (const [code, { status }] of Object.entries(ERROR_CODES)) {
    expect(`${operations}${common}`).toContain(`\`${code}\``);
    expect(explained).toMatch(new RegExp(`^\\| ${status} \\| .*\`${code}\`.* \\| \\S`, "m"));
  }
});

it("a table tells paths, alternatives and bounds", () => {
  const table = fieldsTable(
    {
      type: "object",
      required: ["turns"],
      properties: {
        turns: {
          type: "array",
          minItems: 1,
          maxItems: 9,
          items: {
            type: "object",
            required: ["text"],
            properties: { text: { type: "string", maxLength: 5, description: "a | b" } },
          },
        },
        k: { type: ["integer", "null"], minimum: 1, maximum: 1000 },
        any: { anyOf: [{ type: "boolean", enum: [false] }, { $ref: "#/components/schemas/Any" }] },
      },
    },
    { sent: true },
  );
  expect(table.split("\n").slice(2)).toEqual([
    "| `turns` | list of objects, 1 to 9 of them, required |  |",
    "| `turns[].text` | text, 5 characters at most, required | a \\| b |",
    "| `k` | integer, 1 to 1,000 |  |",
    "| `any` | `false` or [Any](#any) |  |",
  ]);
});
