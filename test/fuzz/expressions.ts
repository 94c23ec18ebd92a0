/** Every regular expression of the product: those written in its source, and those that it makes
 *  while it runs. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

const root = join(import.meta.dirname, "../..");

/** Folders whose code meets what others wrote. */
const FOLDERS = ["src", "index", "cli", "console"];

export interface Expression {
  /** Where it stands, or by whom it was made. */
  place: string;
  regex: RegExp;
}

export interface Written {
  literals: Expression[];
  /** Files that make expressions of texts. */
  makers: string[];
}

/** Reads the source with the TypeScript parser, which tells a division from an expression. */
export function writtenExpressions(): Written {
  const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard", ...FOLDERS], {
    cwd: root,
  });
  const paths = listed.toString().trim().split("\n");
  const literals: Expression[] = [];
  const makers = new Set<string>();
  for (const path of paths.filter((name) => /\.(ts|js|mjs)$/.test(name))) {
    const text = readFileSync(join(root, path), "utf8");
    const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
    const visit = (node: ts.Node) => {
      if (ts.isRegularExpressionLiteral(node)) {
        const { line } = source.getLineAndCharacterOfPosition(node.getStart());
        literals.push({ place: `${path}:${line + 1}`, regex: regexOf(node.text) });
      }
      if (ts.isIdentifier(node) && node.text === "RegExp" && isCalled(node)) makers.add(path);
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return { literals, makers: [...makers].sort() };
}

function isCalled(node: ts.Node): boolean {
  const { parent } = node;
  return (ts.isNewExpression(parent) || ts.isCallExpression(parent)) && parent.expression === node;
}

function regexOf(literal: string): RegExp {
  const end = literal.lastIndexOf("/");
  return new RegExp(literal.slice(1, end), literal.slice(end + 1));
}

/** The expressions made of texts while `work` runs, anywhere in this process. */
export async function madeDuring(place: string, work: () => unknown): Promise<Expression[]> {
  const made: Expression[] = [];
  const own = globalThis.RegExp;
  globalThis.RegExp = new Proxy(own, {
    construct(target, args: [string, string?]) {
      const regex = new target(...args);
      made.push({ place, regex });
      return regex;
    },
  });
  try {
    await work();
  } finally {
    globalThis.RegExp = own;
  }
  return made;
}
