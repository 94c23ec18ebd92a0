/** Writes paragraphs, headings, lists, tables and code as Markdown, as plainly as can be: inline
 *  markup is left out, so that what is quoted reads as the page did. */
import { HTML_LIST_DEPTH_MAX } from "../src/limits.ts";
import { markdownParser } from "./markdown-blocks.ts";
import { Anchors, readHeading } from "./markdown-headings.ts";

/** What opens a heading, a quotation, a list, a fence or a rule, where a line begins with it. */
const OPENS_BLOCK = /^(?:#{1,6}(?:\s|$)|>|[-+*](?:\s|$)|```|~~~|[*_](?:\s*[*_]){2,}\s*$)/;
/** Makes a heading of the line before, or a table. */
const UNDERLINE = /^(?:=+|[-:|\s]+)$/;
const ORDINAL = /^\d{1,9}(?=[.)](?:\s|$))/;

/** A line of a paragraph with a backslash where Markdown would take it for another block. */
function safeLine(line: string): string {
  if (OPENS_BLOCK.test(line) || (UNDERLINE.test(line) && /[-=]/.test(line))) return `\\${line}`;
  return line.replace(ORDINAL, "$&\\");
}

const ANCHOR = /^[^\s{}]{1,200}$/;
const MARKUP = /[\\`*_{}[\]<>&#~!]/g;

/** What stands before each line of a list item or quotation: `first` before its first. */
interface Container {
  first: string;
  rest: string;
  begun: boolean;
}

export class MarkdownWriter {
  private readonly out: string[] = [];
  private readonly anchors = new Anchors();
  private readonly containers: Container[] = [];
  /** How many containers were left out because they are nested too deep. */
  private flattened = 0;
  /** Whether what was last written was a list item's line. */
  private tight = false;

  /** The text so far, ending with a newline unless it is empty. */
  text(): string {
    return this.out.join("");
  }

  enterItem(marker: string): void {
    this.enter({ first: `${marker} `, rest: " ".repeat(marker.length + 1), begun: false });
  }

  enterQuote(): void {
    this.enter({ first: "> ", rest: "> ", begun: false });
  }

  leave(): void {
    if (this.flattened > 0) this.flattened--;
    else this.containers.pop();
  }

  paragraph(text: string): void {
    const lines = text.split("\n").map((line) => safeLine(line.trim()));
    const written = lines.filter((line) => line !== "");
    if (written.length > 0) this.block(written);
  }

  /** `anchor` is the heading's id, or null. */
  heading(level: number, text: string, anchor: string | null): void {
    if (text === "") return;
    // An anchor that is made of the heading anyway need not stand in it.
    const made = this.anchors.next(text);
    const own = anchor !== null && anchor !== made && ANCHOR.test(anchor) ? anchor : null;
    const taken = own ?? made;
    if (taken !== null) this.anchors.take(taken);
    const mark = own === null ? "" : ` {#${own}}`;
    const plain = `${text}${mark}`;
    const read = readHeading(markdownParser(), plain);
    const safe = read.text === text && read.own === own && !/(^|\s)#+$/.test(plain);
    const inline = safe ? plain : `${text.replace(MARKUP, "\\$&")}${mark}`;
    this.block([`${"#".repeat(level)} ${inline}`]);
  }

  code(text: string): void {
    const lines = text.replace(/^\n/, "").trimEnd().split("\n");
    if (lines.every((line) => line.trim() === "")) return;
    const runs = text.match(/`{3,}/g) ?? [];
    const fence = "`".repeat(runs.reduce((longest, run) => Math.max(longest, run.length + 1), 3));
    this.block([fence, ...lines, fence]);
  }

  row(cells: readonly string[], first: boolean): void {
    const written = cells.map((cell) => cell.replaceAll("\n", " ").replaceAll("|", "\\|"));
    const line = `| ${written.join(" | ")} |`;
    if (first) this.block([line, `|${" --- |".repeat(cells.length)}`]);
    else this.lines([line]);
  }

  private enter(container: Container): void {
    if (this.containers.length >= HTML_LIST_DEPTH_MAX) this.flattened++;
    else this.containers.push(container);
  }

  /** Writes a block, after a blank line unless it begins an item that follows another. */
  private block(lines: readonly string[]): void {
    const item = this.containers.some(({ first, rest, begun }) => !begun && first !== rest);
    if (this.out.length > 0 && !(item && this.tight)) this.lines([""]);
    this.lines(lines);
    this.tight = this.containers.some(({ first, rest }) => first !== rest);
  }

  private lines(lines: readonly string[]): void {
    for (const line of lines) {
      let prefix = "";
      for (const container of this.containers) {
        const opens = !container.begun && line !== "";
        if (opens) prefix += container.first;
        else if (container.begun) prefix += container.rest;
        container.begun ||= opens;
      }
      this.out.push(`${prefix}${line}`.trimEnd(), "\n");
    }
  }
}
