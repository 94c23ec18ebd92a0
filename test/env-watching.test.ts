import { expect, it } from "vitest";
import { readWatching } from "../src/env-watching.ts";

it("nothing set keeps all traces without texts, logs every request and exports none", () => {
  expect(readWatching({}, false)).toEqual({
    ...{ sample: 1, traceText: false, log: "all", logText: false, otlp: null },
  });
});

it("a collector is a base, or the very URL for traces, with percent-encoded headers", () => {
  const { otlp } = readWatching(
    {
      OTEL_EXPORTER_OTLP_ENDPOINT: "https://otlp.example.com/otlp/",
      OTEL_EXPORTER_OTLP_HEADERS: "Authorization=Basic%20abc%3D, x-set = brink ,",
      OTEL_SERVICE_NAME: "answers",
    },
    false,
  );
  expect(otlp).toEqual({
    url: "https://otlp.example.com/otlp/v1/traces",
    headers: { authorization: "Basic abc=", "x-set": "brink" },
    service: "answers",
  });
  const own = {
    OTEL_EXPORTER_OTLP_ENDPOINT: "https://otlp.example.com",
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://traces.example.com/in?x=1",
  };
  expect(readWatching(own, false).otlp!.url).toBe("https://traces.example.com/in?x=1");
});

it("the share of traces is the same in quotes and without, none included", () => {
  const sampleOf = (BRINK_TRACE_SAMPLE: string | number) =>
    readWatching({ BRINK_TRACE_SAMPLE }, false).sample;
  expect(["0", 0, "0.1", 0.1, 1, "", " "].map(sampleOf)).toEqual([0, 0, 0.1, 0.1, 1, 1, 1]);
});

it.each([
  [{ BRINK_TRACE_SAMPLE: "2" }, "BRINK_TRACE_SAMPLE must be"],
  [{ BRINK_TRACE_SAMPLE: "some" }, "BRINK_TRACE_SAMPLE must be"],
  [{ BRINK_TRACE_SAMPLE: -1 }, "BRINK_TRACE_SAMPLE must be"],
  [{ BRINK_TRACE_SAMPLE: true as never }, "BRINK_TRACE_SAMPLE must be"],
  [{ BRINK_TRACE_TEXT: "all" }, "BRINK_TRACE_TEXT must be off or redacted"],
  [{ BRINK_LOG: "none" }, "BRINK_LOG must be all or errors"],
  [{ BRINK_LOG_TEXT: "1" }, "BRINK_LOG_TEXT must be off or redacted"],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "otlp" }, "must be an http or https URL"],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://otlp.example.com" }, "must be https"],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "https://10.0.0.7:4318" }, "10.0.0.0/8"],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector:4318" }, "local network"],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://u:p@x.example.com" }, "user or password"],
])("%j is refused", (variables, message) => {
  expect(() => readWatching(variables, false)).toThrow(message);
});

it.each(["novalue", "=x", "a b=c", "x=%zz", "x=%0aSet-Cookie", "content-type=text/plain"])(
  "the header %j is refused, and its text is not told",
  (text) => {
    const variables = {
      OTEL_EXPORTER_OTLP_ENDPOINT: "https://otlp.example.com",
      OTEL_EXPORTER_OTLP_HEADERS: `ok=secret-value,${text}`,
    };
    expect(() => readWatching(variables, false)).toThrow("OTEL_EXPORTER_OTLP_HEADERS");
    expect(() => readWatching(variables, false)).not.toThrow("secret-value");
  },
);

it("a local collector is for local runs", () => {
  const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" };
  expect(readWatching(variables, true).otlp!.url).toBe("http://127.0.0.1:4318/v1/traces");
});
