/** The blocks and sections of a Markdown text, by markdown-it's block rules: CommonMark's, and
 *  tables. Only blocks are parsed; nothing is rendered. */
import Markdown, { type MarkdownIt, type Token } from "markdown-it";
import { HEADING_CHARS_MAX, MARKDOWN_DEPTH_MAX } from "../src/limits.ts";
import { cutText } from "./cut.ts";
import { Anchors, readHeading } from "./markdown-headings.ts";
import { type Block, lines, trimmed } from "./sentences.ts";

/** A heading's place in the document. */
export interface Section {
  /** Outermost first; the last is its own heading. */
  heading_path: string[];
  anchor: string | null;
}

/** Matches every text that has a heading, and some that have none. */
export const MARKDOWN_HEADING = /^[\ufeff \t>*+\-\d.)]*#|^[ \t>]*(=+|-+)[ \t]*\r?$/m;

const KINDS: Record<string, Block["kind"]> = {
  paragraph_open: "prose",
  html_block: "prose",
  heading_open: "heading",
  fence: "code",
  code_block: "code",
  table_open: "rows",
  hr: "rows",
};
/** YAML between lines of ---, or TOML between lines of +++, at the very beginning. */
const FRONT_MATTER_MARK = /^(---|\+\+\+)[ \t]*$/;
const FRONT_MATTER_LINES_MAX = 200;

let parser: MarkdownIt | null = null;

/** Link definitions stay in the text: read as such they would leave no trace in the blocks. */
export function markdownParser(): MarkdownIt {
  parser ??= new Markdown({ html: true, maxNesting: MARKDOWN_DEPTH_MAX } as object).disable(
    "reference",
  );
  return parser;
}

/** The text's blocks, in order, with their sections. Every character that is no whitespace stands
 *  in one block; a block holds whole lines, with the marks of the lists and quotations that it
 *  stands in. Headings inside of those are prose. Front matter is a block of rows. Linear. */
export function markdownBlocks(text: string): { blocks: Block[]; sections: Section[] } {
  // Of the same length, so that offsets stay.
  const source = text.replace(/\r\n/g, " \n").replace(/\r/g, "\n");
  const starts = Array.from(lines(source), ({ start }) => start);
  if (source.startsWith("\ufeff")) starts[0] = 1; // a byte order mark is no part of the first line
  starts.push(source.length + 1);
  const frontLines = frontMatter(source, starts);
  const md = markdownParser();
  const tokens: Token[] = [];
  md.block.parse(source.slice(starts[frontLines]), md, {}, tokens);

  const outline = new Outline(md);
  const blocks: Block[] = [];
  let line = frontLines;
  const push = (from: number, to: number, kind: Block["kind"]) => {
    const span = { start: starts[from]!, end: starts[to]! - 1 };
    for (const { start, end } of trimmed(text, [span]))
      blocks.push({ start, end, kind, section: outline.sections.length - 1 });
  };
  push(0, frontLines, "rows");
  for (const [i, token] of tokens.entries()) {
    const kind = KINDS[token.type];
    if (kind === undefined || token.map === null) continue;
    const from = token.map[0] + frontLines;
    const to = Math.min(token.map[1] + frontLines, starts.length - 1);
    if (from < line || to <= from) continue;
    if (from > line) push(line, from, "prose");
    const heading = kind === "heading" && token.level === 0;
    if (heading) outline.add(Number(token.tag.slice(1)), tokens[i + 1]!.content);
    push(from, to, kind === "heading" && !heading ? "prose" : kind);
    line = to;
  }
  push(line, starts.length - 1, "prose");
  return { blocks, sections: outline.sections };
}

/** How many lines of front matter the text begins with; `starts` are the lines' starts. */
function frontMatter(source: string, starts: readonly number[]): number {
  const lineAt = (i: number) => source.slice(starts[i]!, starts[i + 1]! - 1);
  if (!FRONT_MATTER_MARK.test(lineAt(0))) return 0;
  const mark = lineAt(0).trim();
  const end = Math.min(starts.length - 1, FRONT_MATTER_LINES_MAX);
  for (let i = 1; i < end; i++) if (lineAt(i).trim() === mark) return i + 1;
  return 0;
}

/** The headings so far, and which of them the next one stands under. */
class Outline {
  readonly sections: Section[] = [];
  private readonly above: { level: number; text: string }[] = [];
  private readonly anchors = new Anchors();
  private readonly md: MarkdownIt;

  constructor(md: MarkdownIt) {
    this.md = md;
  }

  add(level: number, inline: string): void {
    const { text, own } = readHeading(this.md, inline);
    while (this.above.length > 0 && this.above.at(-1)!.level >= level) this.above.pop();
    this.above.push({ level, text: cutText(text, HEADING_CHARS_MAX) });
    const anchor = own ?? this.anchors.next(text);
    if (anchor !== null) this.anchors.take(anchor);
    this.sections.push({ heading_path: this.above.map((heading) => heading.text), anchor });
  }
}
