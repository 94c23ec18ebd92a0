import { expect, it } from "vitest";
import { evidenceAround, nearestEvidence } from "../../src/engine/evidence.ts";
import type { SearchHit } from "../../src/memory/types.ts";

const TEXT =
  "The ferry leaves at noon. It carries cars.\n\nIn winter it does not run. Ask at the pier.";

function hit(text: string): SearchHit {
  const ids = { document_id: "d", passage_id: "d#0" };
  const rest = { title: null, metadata: {}, start: 0, end: text.length, bm25: 1, cosine: 1 };
  return { ...ids, ...rest, score: 1, text };
}

const quote = (evidence: { hit: SearchHit; start: number; end: number } | null) =>
  evidence?.hit.text.slice(evidence.start, evidence.end) ?? null;

it("the evidence of a span is the sentence that it stands in", async () => {
  const start = TEXT.indexOf("cars");
  const evidence = await evidenceAround(hit(TEXT), start, start + 4);
  expect(quote(evidence)).toBe("It carries cars.");
});

it("the evidence of a span over a sentence's end is both sentences", async () => {
  const start = TEXT.indexOf("noon");
  const evidence = await evidenceAround(hit(TEXT), start, TEXT.indexOf("carries"));
  expect(quote(evidence)).toBe("The ferry leaves at noon. It carries cars.");
});

it("every span of any text has evidence that holds it and is no blank", async () => {
  for (const text of [TEXT, "x", "  padded  ", "no end", "a.b.c. d?!e"])
    for (let start = 0; start < text.length; start++)
      for (let end = start + 1; end <= Math.min(text.length, start + 12); end++) {
        const span = text.slice(start, end).trim();
        const said = quote(await evidenceAround(hit(text), start, end));
        if (span !== "") expect(said).toContain(span);
      }
});

it("the nearest sentence shares most terms, and none is near where none is shared", async () => {
  const hits = [hit("Cars are parked here."), hit(TEXT)];
  expect(quote(await nearestEvidence(hits, "Does it run in winter?"))).toBe(
    "In winter it does not run.",
  );
  expect(await nearestEvidence(hits, "Who won the cup?")).toBeNull();
  expect(await nearestEvidence([], "ferry")).toBeNull();
});
