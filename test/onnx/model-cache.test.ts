/** Which ONNX models an isolate holds, whatever comes between two requests. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ONNX_RECHECK_MS_MAX } from "../../src/limits.ts";
import { checkManifest } from "../../src/onnx/manifest.ts";
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
function storeOf(file: { name: string }, bytes = 20) {
  const asked: (() => void)[] = [];
  const model = () => ({ name: "m", file: file.name, bytes, tokenizer_bytes: 10 });
  const store = {
    find: () => new Promise((resolve) => asked.push(() => resolve(model()))),
    findOnnx: async () => ({
      model: model(),
      manifest: JSON.stringify({ kind: "classifier", max_tokens: 8, labels: ["a"] }),
    }),
    open: async (_: unknown, { length }: { length: number }) =>
      new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(new Uint8Array(length));
          controller.close();
        },
      }),
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

it("a model that was just loaded keeps its memory for the runs that waited for it", async () => {
  const bytes = 35_000_000; // of which an isolate holds one
  const { store } = storeOf({ name: "one" }, bytes);
  const cache = new ModelCache();
  const opened = cache.open(store, "m", () => {});
  await null; // and it is loading
  const other = { name: "n", file: "two", bytes, tokenizer_bytes: 10 };
  const manifest = checkManifest({ kind: "encoder", max_tokens: 8 });
  const lent = cache.borrow(
    store,
    other,
    manifest,
    async () => {},
    () => {},
  );
  await opened;
  for (let run = 0; run < 1_000; run++) await null;
  expect(models).toEqual({ opened: 1, released: 0 });
  await vi.advanceTimersByTimeAsync(1);
  await lent;
  expect(models).toEqual({ opened: 2, released: 2 });
});
