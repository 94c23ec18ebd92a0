/** Which ONNX models an isolate holds, whatever comes between two requests. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ONNX_RECHECK_MS_MAX } from "../../src/limits.ts";
import { ModelCache } from "../../src/onnx/model-cache.ts";
import type { ModelStore } from "../../src/store/model-store.ts";

const models = vi.hoisted(() => ({ opened: 0, released: 0 }));
vi.mock("../../src/onnx/model.ts", () => ({
  OnnxModel: {
    open: async () => {
      const number = ++models.opened;
      return { number, release: async () => void models.released++ };
    },
  },
}));

beforeEach(() => {
  vi.useFakeTimers();
  Object.assign(models, { opened: 0, released: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A store of one model, whose answers to `find` are given when they are let go. */
function storeOf(file: { name: string }) {
  const asked: (() => void)[] = [];
  const model = () => ({ name: "m", file: file.name, bytes: 20, tokenizer_bytes: 10 });
  const store = {
    find: () => new Promise((resolve) => asked.push(() => resolve(model()))),
    findOnnx: async () => ({
      model: model(),
      manifest: JSON.stringify({ kind: "classifier", max_tokens: 8, labels: ["a"] }),
    }),
    open: async (_: unknown, { length }: { length: number }) =>
      new Blob([new Uint8Array(length)]).stream(),
  };
  return { store: store as unknown as ModelStore, asked };
}

it("a model that was replaced is loaded once, and the old one is let go", async () => {
  const file = { name: "one" };
  const { store, asked } = storeOf(file);
  const cache = new ModelCache();
  const open = () => cache.open(store, "m", () => {});
  await open();
  file.name = "two";
  vi.advanceTimersByTime(ONNX_RECHECK_MS_MAX);
  const [first, second] = [open(), open()];
  asked[0]!();
  const model = await first;
  asked[1]!();
  expect(await second).toBe(model);
  expect(models).toEqual({ opened: 2, released: 1 });
});
