/** What tests of chunking share. */
import { expect } from "vitest";
import type { Span } from "../../index/chunk.ts";

/** Counts as WordPiece does with a vocabulary of four-letter pieces. */
export function countTokens(text: string): number {
  let n = 0;
  for (const [word] of text.matchAll(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu))
    n += Math.ceil(word.length / 4);
  return n;
}

/** Spans are trimmed, in order, apart, and leave nothing out but whitespace. */
export function expectLossless(text: string, spans: readonly Span[]): void {
  let at = 0;
  for (const { start, end } of spans) {
    expect(text.slice(at, start).trim()).toBe("");
    expect(end).toBeGreaterThan(start);
    expect(text.slice(start, end)).toBe(text.slice(start, end).trim());
    at = end;
  }
  expect(text.slice(at).trim()).toBe("");
}
