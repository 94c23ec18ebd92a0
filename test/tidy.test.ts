/** What a machine can hold of the style: sizes, names, and imports that point one way. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";

const root = resolve(import.meta.dirname, "..");
const LINE_CHARS_MAX = 100;
const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;

const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: root })
  .toString()
  .trim()
  .split("\n")
  .filter((path) => existsSync(join(root, path)));
const code = files.filter((path) => /\.(ts|js|mjs|py)$/.test(path));
const read = (path: string) => readFileSync(join(root, path), "utf8");

/** Layers from the top; a file may import from its own layer and from those below. Types that
 *  describe the wire may be named from anywhere, since they compile to nothing. */
const LAYERS: [string, RegExp][] = [
  ["worker", /^src\/(worker\.ts$|generator\/)/],
  ["api", /^src\/api\//],
  ["pipeline", /^src\/pipeline\//],
  ["router", /^src\/router\//],
  ["engine, memory, ledger, onnx, store", /^src\/(engine|memory|ledger|onnx|store)\//],
  ["index", /^index\//],
  ["generation", /^src\/generation\//],
  ["model", /^src\/model\//],
  ["ground", /^src\/(env|errors|limits|log)(-[a-z]+)?\.ts$/],
];

function layerOf(path: string): number {
  return LAYERS.findIndex(([, pattern]) => pattern.test(path));
}

it("lines, files and functions stay within their sizes", () => {
  const over: string[] = [];
  for (const path of code) {
    const lines = read(path).split("\n");
    if (lines.length > FILE_LINES_MAX + 1) over.push(`${path}: ${lines.length} lines`);
    for (const [i, line] of lines.entries())
      if (line.length > LINE_CHARS_MAX && !/https?:\/\//.test(line))
        over.push(`${path}:${i + 1}: ${line.length} characters`);
    if (path.endsWith(".ts")) over.push(...longFunctions(path));
  }
  expect(over).toEqual([]);
});

function longFunctions(path: string): string[] {
  const source = ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest, true);
  const over: string[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isFunctionLike(node) && "body" in node && node.body && !isGroup(node)) {
      const from = source.getLineAndCharacterOfPosition(node.getStart()).line;
      const lines = source.getLineAndCharacterOfPosition(node.getEnd()).line - from + 1;
      if (lines > FUNCTION_LINES_MAX) over.push(`${path}:${from + 1}: function of ${lines} lines`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return over;
}

/** The body of a `describe` groups tests; each of those is measured on its own. */
function isGroup(node: ts.Node): boolean {
  return ts.isCallExpression(node.parent) && node.parent.expression.getText() === "describe";
}

it("imports point down", () => {
  const wrong: string[] = [];
  for (const path of code.filter((name) => layerOf(name) >= 0))
    for (const [, type, target] of read(path).matchAll(
      /^(?:import|export)( type)?[^;]*? from "(\.[^"]+)"/gms,
    )) {
      const to = relative(root, resolve(root, dirname(path), target!));
      if (type === undefined && layerOf(to) >= 0 && layerOf(to) < layerOf(path))
        wrong.push(`${path} imports ${to}`);
    }
  expect(wrong).toEqual([]);
});

it("no file is named index or utils, and names are kebab-case or op_format", () => {
  const bad = code.filter((path) => {
    const name = basename(path).replace(/\..*$/, "");
    return /^(index|utils?)$/.test(name) || !/^[a-z0-9]+([-_][a-z0-9]+)*$/.test(name);
  });
  expect(bad).toEqual([]);
});

it("nothing is left to be done in a comment", () => {
  const marker = /\b(TODO|FIXME|XXX|HACK)\b/;
  const others = code.filter((path) => path !== "test/tidy.test.ts");
  expect(others.filter((path) => marker.test(read(path)))).toEqual([]);
});

it("what the service logs is JSON", () => {
  const service = code.filter((path) => path.startsWith("src/"));
  const calls = service.flatMap((path) =>
    Array.from(read(path).matchAll(/console\.\w+\((?!JSON\.stringify\()/g), () => path),
  );
  expect(calls).toEqual([]);
});

it("no error code is thrown that the closed list does not have", async () => {
  const { ERROR_CODES } = await import("../src/errors.ts");
  const thrown = code.flatMap((path) =>
    Array.from(read(path).matchAll(/new ServiceError\(\s*"(\w+)"/g), ([, name]) => name!),
  );
  expect(thrown.length).toBeGreaterThan(10);
  expect(thrown.filter((name) => !Object.hasOwn(ERROR_CODES, name))).toEqual([]);
});

it("every error code is used", async () => {
  const { ERROR_CODES } = await import("../src/errors.ts");
  const source = code.filter((path) => path !== "src/errors.ts" && /^(src|index)\//.test(path));
  const text = source.map(read).join("\n");
  expect(Object.keys(ERROR_CODES).filter((name) => !text.includes(`"${name}"`))).toEqual([]);
});
