import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface DocumentationPage {
  id: string;
  title: string;
  text: string;
  metadata: { path: string };
}

/** Notes for those who change Brink, of which whoever runs it asks nothing, and the map and the
 *  reference, whose tables answer no question in words. Each section takes some 17 KB of the
 *  isolate. */
const NOT_LOADED =
  /^(README|api|decisions|kernels.*|.*measured.*|router-prior|engine|sharding|trust)\.md$/;

const ASKS = /"messages": \[|messages: \[|"choices": \[|brink ask "|prompt: "|invoke\("/;

/** Brink's own documentation, a document for each `##` section of README.md and of what in docs/
 *  is for its users, in file order. What `npm start` preloads into the namespace `docs`. */
export function readDocumentation(root: string): DocumentationPage[] {
  const names = readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md") && !NOT_LOADED.test(name))
    .sort();
  const paths = ["README.md", ...names.map((name) => `docs/${name}`)];
  return paths.flatMap((path) =>
    splitSections(path, withoutQuestions(readFileSync(join(root, path), "utf8"))),
  );
}

/** Without comments, which no reader sees, and without examples of what is asked and answered: a
 *  question is nearest to itself, and answers nothing. */
function withoutQuestions(markdown: string): string {
  const blocks = markdown.replace(/^<!--.*?-->\n+/gms, "").split(/\n{2,}/);
  return blocks.filter((block) => !(block.startsWith("    ") && ASKS.test(block))).join("\n\n");
}

function splitSections(path: string, markdown: string): DocumentationPage[] {
  const [intro = "", ...sections] = markdown.split(/^## /m);
  const [heading = "", ...body] = intro.split("\n");
  const name = heading.replace(/^# /, "").trim();
  const pages = [{ id: path, title: name, text: body.join("\n").trim(), metadata: { path } }];
  for (const section of sections) {
    const [first = "", ...lines] = section.split("\n");
    const anchor = first
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-|-$/g, "");
    const text = lines.join("\n").trim();
    pages.push({ id: `${path}#${anchor}`, title: `${name}: ${first}`, text, metadata: { path } });
  }
  return pages.filter((page) => page.text.length > 0);
}
