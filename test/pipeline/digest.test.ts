import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { sha256Hex } from "../../src/pipeline/digest.ts";

it("is SHA-256 of the UTF-8 bytes, whatever the length", () => {
  const lengths = [...Array(200).keys(), 999, 1_000, 1_001, 5_000];
  for (const piece of ["a", "é", "\u{1F600}", "\ud800"])
    for (const length of lengths) {
      const text = piece.repeat(length);
      expect(sha256Hex(text)).toBe(createHash("sha256").update(text).digest("hex"));
    }
});
