/** Rows for people: columns side by side, bars, paragraphs as wide as the terminal. */
import { styleText } from "node:util";

/** Styles texts for a stream: not where it is no terminal, nor where NO_COLOR is set. */
export function paint(
  stream: NodeJS.WriteStream,
): (style: Parameters<typeof styleText>[0], text: string) => string {
  return (style, text) => styleText(style, text, { stream, validateStream: true });
}

/** The text without what would command a terminal: a document, or a model's answer, may hold
 *  escape sequences. Line breaks and tabs stay. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it drops
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "");
}

/** The same as one line: a name or a message that has line breaks could print lines of its own that
 *  look like the command's. */
export function oneLine(text: string): string {
  return printable(text.replace(/[\t\n\v\f\r\u0085\u2028\u2029]+/g, " "));
}

/** The rows with each column as wide as its widest cell; numbers are right-aligned. What a cell
 *  holds is shown as one line. */
export function table(rows: readonly (string | number)[][]): string {
  const cells = rows.map((row) => row.map((cell) => oneLine(String(cell))));
  const widths = (cells[0] ?? []).map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
  return cells
    .map((row, r) =>
      row
        .map((cell, i) =>
          typeof rows[r]![i] === "number" ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const BAR_CHARS = 20;
const EIGHTHS = " ▏▎▍▌▋▊▉█";

/** A bar for a share of 0 to 1, BAR_CHARS wide when it is 1. */
export function bar(share: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * BAR_CHARS * 8);
  const whole = "█".repeat(Math.floor(eighths / 8));
  return (eighths % 8 === 0 ? whole : whole + EIGHTHS[eighths % 8]).padEnd(BAR_CHARS);
}

/** The text's words in lines of `width` characters, `linesMax` at most, each after `indent`; what
 *  is cut off is an ellipsis. A longer word stands alone. */
export function paragraph(text: string, width: number, indent: string, linesMax: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of printable(text.replaceAll("\r", "\n"))
    .split(/\s+/)
    .filter((word) => word !== "")) {
    if (line !== "" && indent.length + line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
      if (lines.length === linesMax) break;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  const cut = lines.length === linesMax;
  if (!cut && line !== "") lines.push(line);
  return lines
    .map((one, i) => `${indent}${one}${cut && i === linesMax - 1 ? " …" : ""}`)
    .join("\n");
}

/** How wide lines may be. */
export function terminalWidth(): number {
  return Math.min(process.stdout.columns ?? 100, 120);
}

/** `2026-11-24 18:05` of Unix ms, in UTC. */
export function showTime(unixMs: number): string {
  return new Date(unixMs).toISOString().slice(0, 16).replace("T", " ");
}

export function countOfAnswers(count: number): string {
  return count === 1 ? "1 answer" : `${count} answers`;
}
