import { expect, it } from "vitest";
import { SseReader } from "../../src/engine/sse.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function read(chunks: Uint8Array[]): string[] {
  const reader = new SseReader();
  return [...chunks.flatMap((chunk) => reader.push(chunk)), ...reader.end()];
}

it("lines end in LF, CRLF or CR", () => {
  expect(read([bytes("data: a\n\ndata: b\r\n\r\ndata: c\r\rdata: d\n\n")])).toEqual([
    "a",
    "b",
    "c",
    "d",
  ]);
});

it("comments, other fields and empty events are skipped", () => {
  const text = ": hello\n\nevent: ping\nid: 7\n\nretry: 3\ndata: a\n\n:\n\n";
  expect(read([bytes(text)])).toEqual(["a"]);
});

it("several data lines are joined by LF, and one space after the colon is dropped", () => {
  expect(read([bytes("data:a\ndata:  b\ndata\ndata: c\n\n")])).toEqual(["a\n b\n\nc"]);
});

it("an event whose last newline or blank line is missing is still read", () => {
  expect(read([bytes("data: a\n\ndata: b")])).toEqual(["a", "b"]);
  expect(read([bytes("data: a\n\ndata: b\n")])).toEqual(["a", "b"]);
});

it("a byte order mark is dropped", () => {
  expect(read([bytes("\uFEFFdata: a\n\n")])).toEqual(["a"]);
});

it("bytes cut at any two places read the same", () => {
  const all = bytes("data: né\r\n\r\n: c\r\ndata: 𝔸\r\ndata: z\r\rdata: ✓\n\n");
  const whole = ["né", "𝔸\nz", "✓"];
  for (let i = 0; i <= all.length; i++)
    for (let j = i; j <= all.length; j++)
      expect(read([all.slice(0, i), all.slice(i, j), all.slice(j)])).toEqual(whole);
});
