/** The main Worker's bundle: one byte a character, and the same regular expressions. */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { bundleWorker } from "../../scripts/bundle.ts";
import { toLatin1 } from "../../scripts/latin1.ts";

/** A regular expression as it is after its source went through `toLatin1`. */
function through(pattern: RegExp): RegExp {
  const text = toLatin1(String(pattern));
  expect(text).toMatch(/^[\0-\xff]*$/);
  const end = text.lastIndexOf("/");
  return new RegExp(text.slice(1, end), text.slice(end + 1));
}

describe("toLatin1", () => {
  it.each([
    [/[’']s$/, ["cat’s", "cat's", "cats", "u2019s"]],
    // biome-ignore lint/complexity/noUselessEscapeInRegex: dependencies write it so
    [/^[a-z\–\—\.]+$/, ["a–b", "a—b", "a.b", "a-b", "u2013", "\\"]],
    [/^\\–$/, ["\\–", "–", "\\u2013"]],
    [/^[。！？]+$/u, ["。！", "!", ""]],
    [/^[😀-😃]$/u, ["😁", "😄", "\ud83d"]],
    [/^😀+$/, ["😀", "😀😀"]],
    [/é|ÿ/, ["é", "ÿ", "e"]],
  ])("%s matches what it did", (pattern, texts) => {
    const after = through(pattern);
    for (const text of texts) expect(after.test(text), text).toBe(pattern.test(text));
  });

  it("leaves what fits alone", () => {
    expect(toLatin1("const café = /\\\\ÿ/;")).toBe("const café = /\\\\ÿ/;");
  });
});

describe("build/worker.js", () => {
  beforeAll(bundleWorker);

  it("has no character that would make its text take two bytes each", () => {
    const code = readFileSync("build/worker.js", "utf8");
    expect(code.length).toBeGreaterThan(1e6);
    expect(code).toMatch(/^[\0-\xff]*$/);
  });
});
