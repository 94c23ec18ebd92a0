import { expect, it } from "vitest";
import { dataPointOf } from "../../src/pipeline/data-point.ts";
import { TRACE } from "../api/fake-traces.ts";
import { AnalyticsDouble } from "../support/analytics-double.ts";

it("a request is one data point, its columns in their order", () => {
  const data = new AnalyticsDouble();
  data.writeDataPoint(dataPointOf("acme", TRACE));
  expect(data.points).toEqual([
    {
      indexes: ["acme"],
      blobs: [
        ...["POST /v1/chat/completions", "backend", "backend:big", "org/big", "", "key-1"],
        ...["docs", "auto", "", TRACE.trace_id],
      ],
      doubles: [120.5, 80.25, 200, 11, 7, 12.5, 0.7, 1],
    },
  ]);
});

it("the longest facts stay within the platform's limits", () => {
  const data = new AnalyticsDouble();
  const long = "\u{1f600}".repeat(5_000);
  data.writeDataPoint(dataPointOf(long, { ...TRACE, engine: long, model: long, asked: long }));
  const [{ indexes, blobs }] = data.points as [AnalyticsEngineDataPoint];
  expect(indexes![0]).toBe("\u{1f600}".repeat(24));
  expect((blobs![2] as string).isWellFormed()).toBe(true);
});
