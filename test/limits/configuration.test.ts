/** Every bound of a deployment's variables is reached, and not passed. */
import { expect, it } from "vitest";
import { type Env, readConfig } from "../../src/env.ts";
import { readWatching } from "../../src/env-watching.ts";
import {
  BACKEND_CONCURRENCY_MAX,
  BACKEND_FIRST_BYTE_MS_MAX,
  BACKEND_ORDER_MAX,
  BACKEND_TEXT_CHARS_MAX,
  BACKEND_WEIGHT_MAX,
  BACKEND_WEIGHT_MIN,
  BACKENDS_CHARS_MAX,
  BACKENDS_MAX,
  GENERATOR_CONTEXT_MAX,
  OTLP_HEADERS_CHARS_MAX,
  OTLP_HEADERS_MAX,
  OTLP_SERVICE_CHARS_MAX,
  PRICE_PER_MTOK_MAX,
} from "../../src/limits.ts";

const x = (n: number) => "x".repeat(n);

/** A list of one backend that has these fields. */
function backend(rest: object): () => unknown {
  const BACKENDS = JSON.stringify([
    { name: "a", model: "m", url: "https://a.example/v1", ...rest },
  ]);
  return () => readConfig({ BACKENDS } as Env, "brink.example");
}

function backends(count: number, charsMin = 0): () => unknown {
  const list = Array.from({ length: count }, (_, i) => {
    return { name: `b${i}`, model: "m", url: `https://b${i}.example/v1` };
  });
  const BACKENDS = JSON.stringify(list).padEnd(charsMin);
  return () => readConfig({ BACKENDS } as Env, "brink.example");
}

function collector(variables: object): () => unknown {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "https://otlp.example.com" };
  return () => readWatching({ ...endpoint, ...variables }, false);
}

const headers = (count: number) => Array.from({ length: count }, (_, i) => `h${i}=v`).join(",");

it.each([
  ["BACKENDS_MAX", backends(BACKENDS_MAX), backends(BACKENDS_MAX + 1)],
  ["BACKENDS_CHARS_MAX", backends(2, BACKENDS_CHARS_MAX), backends(2, BACKENDS_CHARS_MAX + 1)],
  ["BACKEND_NAME_PATTERN", backend({ name: x(63) }), backend({ name: x(64) })],
  [
    "BACKEND_TEXT_CHARS_MAX",
    backend({ model: x(BACKEND_TEXT_CHARS_MAX) }),
    backend({ model: x(BACKEND_TEXT_CHARS_MAX + 1) }),
  ],
  [
    "BACKEND_ORDER_MAX",
    backend({ order: BACKEND_ORDER_MAX }),
    backend({ order: BACKEND_ORDER_MAX + 1 }),
  ],
  [
    "BACKEND_WEIGHT_MAX",
    backend({ weight: BACKEND_WEIGHT_MAX }),
    backend({ weight: BACKEND_WEIGHT_MAX + 1 }),
  ],
  [
    "BACKEND_WEIGHT_MIN",
    backend({ weight: BACKEND_WEIGHT_MIN }),
    backend({ weight: BACKEND_WEIGHT_MIN / 2 }),
  ],
  [
    "BACKEND_CONCURRENCY_MAX",
    backend({ concurrency: BACKEND_CONCURRENCY_MAX }),
    backend({ concurrency: BACKEND_CONCURRENCY_MAX + 1 }),
  ],
  [
    "BACKEND_FIRST_BYTE_MS_MAX",
    backend({ deadline_ms: BACKEND_FIRST_BYTE_MS_MAX }),
    backend({ deadline_ms: BACKEND_FIRST_BYTE_MS_MAX + 1 }),
  ],
  [
    "OTLP_HEADERS_MAX",
    collector({ OTEL_EXPORTER_OTLP_HEADERS: headers(OTLP_HEADERS_MAX) }),
    collector({ OTEL_EXPORTER_OTLP_HEADERS: headers(OTLP_HEADERS_MAX + 1) }),
  ],
  [
    "OTLP_HEADERS_CHARS_MAX",
    collector({ OTEL_EXPORTER_OTLP_HEADERS: `a=${x(OTLP_HEADERS_CHARS_MAX - 2)}` }),
    collector({ OTEL_EXPORTER_OTLP_HEADERS: `a=${x(OTLP_HEADERS_CHARS_MAX - 1)}` }),
  ],
  [
    "OTLP_SERVICE_CHARS_MAX",
    collector({ OTEL_SERVICE_NAME: x(OTLP_SERVICE_CHARS_MAX) }),
    collector({ OTEL_SERVICE_NAME: x(OTLP_SERVICE_CHARS_MAX + 1) }),
  ],
  ["PRICE_PER_MTOK_MAX", price(PRICE_PER_MTOK_MAX), price(PRICE_PER_MTOK_MAX + 1)],
  [
    "PRICE_PER_MTOK_MAX",
    backend({ price_input_per_mtok: PRICE_PER_MTOK_MAX, price_output_per_mtok: 0 }),
    backend({ price_input_per_mtok: PRICE_PER_MTOK_MAX + 1, price_output_per_mtok: 0 }),
  ],
  ["GENERATOR_CONTEXT_MAX", context(GENERATOR_CONTEXT_MAX), context(GENERATOR_CONTEXT_MAX + 1)],
])("what a variable may say is taken, and more is refused: %s", (_, most, more) => {
  expect(most).not.toThrow();
  expect(more).toThrow(expect.objectContaining({ code: "misconfigured" }));
});

function price(n: number): () => unknown {
  const variables = { EDGE_PRICE_INPUT_PER_MTOK: n, EDGE_PRICE_OUTPUT_PER_MTOK: 0 };
  return () => readConfig(variables as unknown as Env, "brink.example");
}

function context(n: number): () => unknown {
  const variables = { BRINK_GENERATOR_CONTEXT: `${n}`, GENERATOR: {}, MODELS: {} };
  return () => readConfig(variables as unknown as Env, "brink.example");
}
