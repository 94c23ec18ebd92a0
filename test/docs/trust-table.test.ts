import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { COVERS, rowOf } from "../../scripts/torture-row.ts";

const text = readFileSync(join(import.meta.dirname, "../../docs/trust.md"), "utf8");
const cellsOf = (row: string) => row.split("|").map((cell) => cell.trim());

it.each(Object.keys(COVERS))("docs/trust.md has a row of %s as it is printed", (suite) => {
  const rows = text.split("\n").filter((line) => line.startsWith(`| \`${suite}`));
  expect(rows).toHaveLength(1);
  const cells = cellsOf(rows[0]!);
  const printed = rowOf(suite, { cases: "", injected: "", failures: 0 }, { seed: 1, seconds: 1 });
  expect(cells).toHaveLength(cellsOf(printed).length);
  expect(cells[2]).toBe(COVERS[suite]);
  expect(cells[5]).toBe("0");
});
