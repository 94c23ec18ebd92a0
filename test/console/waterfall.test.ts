/** In which order the time line of a request has its stages. */
import { expect, it } from "vitest";

/** The console is JavaScript, which tsc does not look into from here. */
const file = new URL("../../console/waterfall.js", import.meta.url).href;
const { inOrder } = await import(file);

const span = (span_id: string, parent_id: string | null) => ({ span_id, parent_id });

it("stages stand below the one they are part of, each once, whatever their parents say", () => {
  const spans = [
    ...[span("a", null), span("b", null), span("c", "a"), span("d", "c")],
    ...[span("e", "a"), span("f", "elsewhere"), span("g", "h"), span("h", "g")],
  ];
  const rows = inOrder(spans) as { span: { span_id: string }; depth: number }[];
  expect(rows.map((row) => `${row.span.span_id}${row.depth}`).join(" ")).toBe("a1 c2 d3 e2 b1 f1");
});
