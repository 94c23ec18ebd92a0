/** HTML as the Markdown that is stored, found and quoted in its place. The conversion is a function
 *  of the text alone: nothing is run, nothing is fetched. */
import { Tokenizer, type TokenizerCallbacks } from "htmlparser2";
import { ServiceError } from "../src/errors.ts";
import { DOCUMENT_CHARS_MAX, TITLE_CHARS_MAX } from "../src/limits.ts";
import { cutText } from "./cut.ts";
import { BLOCK, HEADINGS, HIDDEN, TRACKED, VOID } from "./html-elements.ts";
import { MarkdownWriter } from "./html-writer.ts";

export interface ConvertedHtml {
  /** Markdown: headings with their ids as {#id}, lists, tables, quotations, code; the rest is plain
   *  text without inline markup. A line that Markdown would misread has a backslash before it. */
  text: string;
  /** Of <title>, else the first heading; null where there is neither. */
  title: string | null;
}

/** Converts a page or a piece of one, however broken. Scripts, styles, navigation, form controls
 *  and what is hidden (`hidden`, `aria-hidden="true"`, `display: none`) leave no trace. Linear in
 *  time and space. Errors: invalid_request for what becomes longer than a document may be. */
export function htmlToMarkdown(source: string): ConvertedHtml {
  const reader = new HtmlReader(source);
  const tokenizer = new Tokenizer({ decodeEntities: true }, reader);
  tokenizer.write(source);
  tokenizer.end();
  return reader.finish();
}

/** An open element whose end matters. */
interface OpenElement {
  name: string;
  /** Whether it stands in a hidden one, or is that. */
  hidden: boolean;
}

interface Table {
  rows: number;
  /** Of the row under way. */
  cells: string[];
  inCell: boolean;
  /** A cell holds headings, lists or tables: its cells are blocks then, and it is no table. */
  layout: boolean;
}

type Attributes = Record<string, string>;

class HtmlReader implements TokenizerCallbacks {
  private readonly source: string;
  private readonly writer = new MarkdownWriter();
  private readonly open: OpenElement[] = [];
  private readonly openCounts = new Map<string, number>();
  private readonly tables: Table[] = [];
  private readonly lists: { next: number | null }[] = [];
  /** The outermost hidden element's index among the open ones; -1: none. */
  private hiddenAt = -1;
  /** The text under way. */
  private parts: string[] = [];
  /** Whether any of it is no whitespace. */
  private said = false;
  private heading: { level: number; id: string | null } | null = null;
  /** Of an element before which no text stands since: it leads to the heading that follows. */
  private id: string | null = null;
  /** Within a heading: where a link into the page began. */
  private link: { part: number; id: string } | null = null;
  private title: string | null = null;
  private firstHeading: string | null = null;
  private inTitle = false;

  private tag = "";
  private attributes: Attributes = {};
  private attribute = "";
  private value = "";

  constructor(source: string) {
    this.source = source;
  }

  finish(): ConvertedHtml {
    while (this.open.length > 0) this.pop();
    this.flush();
    const text = this.writer.text().trimEnd();
    if (text.length > DOCUMENT_CHARS_MAX)
      throw new ServiceError(
        "invalid_request",
        `the page has ${text.length} characters of text, the limit is ${DOCUMENT_CHARS_MAX}`,
        { param: "text" },
      );
    const title = collapse(this.title ?? "") || this.firstHeading;
    return { text, title: title === null ? null : cutText(title, TITLE_CHARS_MAX) };
  }

  ontext(start: number, end: number): void {
    this.say(this.source.slice(start, end));
  }
  ontextentity(codepoint: number): void {
    this.say(String.fromCodePoint(codepoint));
  }
  onopentagname(start: number, end: number): void {
    this.tag = this.source.slice(start, end).toLowerCase();
    this.attributes = {};
  }
  onattribname(start: number, end: number): void {
    this.attribute = this.source.slice(start, end).toLowerCase();
    this.value = "";
  }
  onattribdata(start: number, end: number): void {
    this.value += this.source.slice(start, end);
  }
  onattribentity(codepoint: number): void {
    this.value += String.fromCodePoint(codepoint);
  }
  onattribend(): void {
    if (ATTRIBUTES.has(this.attribute)) this.attributes[this.attribute] ??= this.value;
  }
  onopentagend(): void {
    this.begin(this.tag, this.attributes);
  }
  onselfclosingtag(): void {
    this.begin(this.tag, this.attributes);
    // Elsewhere HTML does not heed the slash.
    if (this.openCounts.get("svg")) this.end(this.tag);
  }
  onclosetag(start: number, end: number): void {
    this.end(this.source.slice(start, end).toLowerCase());
  }
  oncdata(): void {}
  oncomment(): void {}
  ondeclaration(): void {}
  onprocessinginstruction(): void {}
  onend(): void {}

  private say(text: string): void {
    if (this.inTitle) this.title = `${this.title ?? ""}${text}`;
    else if (this.hiddenAt === -1) {
      this.parts.push(this.inPre() ? text : text.replace(SPACES, " "));
      this.said ||= /[^ \t\n\r\f]/.test(text);
    }
  }

  private begin(name: string, attributes: Attributes): void {
    if (this.hiddenAt >= 0) {
      if (name === "title" && !this.openCounts.get("svg")) this.inTitle = this.title === null;
      if (!VOID.has(name)) this.push(name);
      return;
    }
    if (name === "title") {
      this.inTitle = this.title === null;
      this.hide(name);
      return;
    }
    const hidden = isHidden(name, attributes);
    if (!hidden || this.heading !== null) this.noteId(name, attributes);
    if (hidden) {
      if (BLOCK.has(name) || name === "nav") this.breakBlock();
      if (!VOID.has(name)) this.hide(name);
    } else if (name === "br") this.parts.push(this.heading || this.cell() ? " " : "\n");
    else if (name === "img") this.say(` ${attributes.alt ?? ""} `);
    else if (name === "hr") this.flush();
    else if (HEADINGS[name] !== undefined || TRACKED.has(name)) this.beginTracked(name, attributes);
    else if (BLOCK.has(name)) {
      if (this.heading && this.said) this.endHeading();
      this.breakBlock();
    }
  }

  private beginTracked(name: string, attributes: Attributes): void {
    if (name === "tr") this.popTo(["table"]);
    else if (name === "td" || name === "th") this.popTo(["tr", "table"]);
    else if (name === "li") while (this.open.at(-1)?.name === "li") this.pop();
    if (name === "tr" || name === "td" || name === "th") {
      this.flush();
      const table = this.tables.at(-1);
      if (table !== undefined) table.inCell = name !== "tr" && !table.layout;
    } else {
      this.leaveTable();
      this.endHeading();
      this.flush();
    }
    if (HEADINGS[name] !== undefined) {
      this.heading = { level: HEADINGS[name], id: attributes.id ?? this.id };
      this.id = null;
    } else if (name === "ul") this.lists.push({ next: null });
    else if (name === "ol") this.lists.push({ next: 1 });
    else if (name === "li") this.writer.enterItem(this.marker());
    else if (name === "blockquote") this.writer.enterQuote();
    else if (name === "table")
      this.tables.push({ rows: 0, cells: [], inCell: false, layout: false });
    this.push(name);
  }

  private end(name: string): void {
    if (name === "title") this.inTitle = false;
    if ((this.openCounts.get(name) ?? 0) > 0) {
      while (this.open.at(-1)!.name !== name) this.pop();
      this.pop();
    } else if (this.hiddenAt >= 0) return;
    else if (name === "a") this.endLink();
    else if (BLOCK.has(name)) this.breakBlock();
  }

  private push(name: string): void {
    this.open.push({ name, hidden: this.hiddenAt >= 0 });
    this.openCounts.set(name, (this.openCounts.get(name) ?? 0) + 1);
  }

  private hide(name: string): void {
    this.hiddenAt = this.open.length;
    this.push(name);
  }

  private popTo(names: readonly string[]): void {
    if ((this.openCounts.get("table") ?? 0) === 0) return;
    while (!names.includes(this.open.at(-1)!.name)) this.pop();
  }

  private pop(): void {
    const { name, hidden } = this.open.pop()!;
    this.openCounts.set(name, this.openCounts.get(name)! - 1);
    if (this.open.length === this.hiddenAt) this.hiddenAt = -1;
    if (hidden) return;
    if (HEADINGS[name] !== undefined) this.endHeading();
    else if (name === "td" || name === "th") this.endCell();
    else if (name === "tr") this.endRow();
    else if (name === "pre") this.writer.code(this.take());
    else {
      this.flush();
      if (name === "li" || name === "blockquote") this.writer.leave();
      else if (name === "ul" || name === "ol") this.lists.pop();
      else if (name === "table") {
        this.endRow();
        this.tables.pop();
      }
    }
  }

  /** An id that a heading may be reached by: its own, one within it, or one just before it. */
  private noteId(name: string, attributes: Attributes): void {
    const id = attributes.id ?? (name === "a" ? attributes.name : undefined);
    if (this.heading === null) {
      if (id && !this.said) this.id = id;
      return;
    }
    if (id) this.heading.id ??= id;
    if (name === "a" && attributes.href?.startsWith("#"))
      this.link = { part: this.parts.length, id: attributes.href.slice(1) };
  }

  /** A link of a heading to itself, shown as a mark (¶, #), is not the heading's text. */
  private endLink(): void {
    if (this.heading === null || this.link === null) return;
    const text = this.parts.slice(this.link.part).join("").trim();
    if (text.length <= 2 && !/[\p{L}\p{N}]/u.test(text)) {
      this.parts.length = this.link.part;
      this.heading.id ??= this.link.id;
    }
    this.link = null;
  }

  private endHeading(): void {
    if (this.heading === null) return;
    const text = collapse(this.take());
    this.writer.heading(this.heading.level, text, this.heading.id);
    if (text === "") this.id = this.heading.id;
    else this.firstHeading ??= text;
    this.heading = null;
    this.link = null;
  }

  private breakBlock(): void {
    if (this.heading !== null || this.cell() !== null) this.parts.push(" ");
    else if (this.inPre()) this.parts.push("\n");
    else this.flush();
  }

  private flush(): void {
    if (this.heading !== null) return;
    const text = this.take();
    if (text.trim() === "") return;
    this.writer.paragraph(text.replace(/ {2,}/g, " "));
    this.id = null;
  }

  /** The text under way, which ends with this. */
  private take(): string {
    this.said = false;
    return this.parts.splice(0).join("");
  }

  private inPre(): boolean {
    return (this.openCounts.get("pre") ?? 0) > 0;
  }

  /** The table of the cell that the text under way stands in; null: in none that stays one. */
  private cell(): Table | null {
    const table = this.tables.at(-1);
    return table?.inCell ? table : null;
  }

  /** Before what no cell can hold: its table's cells become blocks. */
  private leaveTable(): void {
    const table = this.cell();
    if (table === null) return;
    table.layout = true;
    table.inCell = false;
    for (const cell of table.cells.splice(0)) this.writer.paragraph(cell);
  }

  private endCell(): void {
    const table = this.cell();
    if (table === null) this.flush();
    else {
      table.cells.push(collapse(this.take()));
      table.inCell = false;
    }
  }

  /** A row of one cell before any other row is no row of a table. */
  private endRow(): void {
    const table = this.tables.at(-1);
    if (table === undefined) return;
    const cells = table.cells.splice(0);
    if (cells.every((cell) => cell === "")) return;
    this.id = null;
    if (cells.length === 1 && table.rows === 0) this.writer.paragraph(cells[0]!);
    else this.writer.row(cells, table.rows++ === 0);
  }

  private marker(): string {
    const list = this.lists.at(-1);
    return list === undefined || list.next === null ? "-" : `${list.next++}.`;
  }
}

const SPACES = /[ \t\n\r\f]+/g;
const ATTRIBUTES = new Set(["id", "name", "href", "alt", "hidden", "aria-hidden", "style"]);

function collapse(text: string): string {
  return text.replace(SPACES, " ").trim();
}

function isHidden(name: string, attributes: Attributes): boolean {
  if (HIDDEN.has(name)) return true;
  if (name === "html" || name === "body" || name === "main") return false;
  const { hidden, style } = attributes;
  if (hidden !== undefined && hidden !== "until-found") return true;
  if (attributes["aria-hidden"] === "true") return true;
  return style !== undefined && /(^|[;\s])display\s*:\s*none\b/i.test(style);
}
