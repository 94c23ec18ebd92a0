import { expect, it } from "vitest";
import { GatheredBytes } from "../../index/bytes.ts";

it("parts of any sizes are gathered in order, and after clear anew", () => {
  const gathered = new GatheredBytes();
  for (const sizes of [[], [0], [5], [1, 2, 3, 400, 0, 5], [1_000, 1], [1]]) {
    const parts = sizes.map((size, i) => new Uint8Array(size).fill(i + 1));
    for (const part of parts) gathered.append(part);
    expect(Buffer.from(gathered.bytes)).toEqual(Buffer.concat(parts));
    gathered.clear();
  }
});

it("a million parts of a byte take twice their bytes", () => {
  const gathered = new GatheredBytes();
  for (let i = 0; i < 1_000_000; i++) gathered.append(Uint8Array.of(i & 255));
  expect(gathered.bytes.length).toBe(1_000_000);
  expect(gathered.bytes.buffer.byteLength).toBeLessThanOrEqual(2_000_000);
});
