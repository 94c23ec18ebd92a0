import { expect, it } from "vitest";
import { FORWARDED } from "../scripts/forwarded.ts";
import { configOf, type Env, readConfig } from "../src/env.ts";
import { pricesOf } from "../src/env-backends.ts";
import { readIsolateBytes } from "../src/env-number.ts";

const env = (variables: Partial<Env>) => variables as Env;

it("the fixed keys need both the local flag and a loopback host", () => {
  const flagged = env({ BRINK_LOCAL: "1" });
  for (const host of ["localhost", "127.0.0.1", "[::1]"])
    expect(readConfig(flagged, host).local).toBe(true);
  for (const host of ["brink.example", "127.0.0.1.example", "10.0.0.1", "localhost.example"])
    expect(readConfig(flagged, host).local).toBe(false);
  expect(readConfig(env({}), "localhost").local).toBe(false);
});

it("origins are a list, open to all on local runs only", () => {
  const variables = { BRINK_ALLOWED_ORIGINS: "https://a.example, https://b.example" };
  expect(readConfig(env(variables), "brink.example").allowedOrigins).toEqual([
    "https://a.example",
    "https://b.example",
  ]);
  expect(readConfig(env({}), "brink.example").allowedOrigins).toEqual([]);
  expect(readConfig(env({ BRINK_LOCAL: "1" }), "localhost").allowedOrigins).toBe("*");
});

it("a local run is open to the origins that are named, where any are", () => {
  const named = env({ BRINK_LOCAL: "1", BRINK_ALLOWED_ORIGINS: "http://localhost:5173" });
  expect(readConfig(named, "localhost").allowedOrigins).toEqual(["http://localhost:5173"]);
});

it("an asterisk among the origins is all of them", () => {
  for (const origins of ["*", "https://a.example, *"]) {
    const { allowedOrigins } = readConfig(env({ BRINK_ALLOWED_ORIGINS: origins }), "brink.example");
    expect(allowedOrigins).toBe("*");
  }
});

it("an origin is as browsers send it, or the service is misconfigured", () => {
  const read = (origins: string) =>
    readConfig(env({ BRINK_ALLOWED_ORIGINS: origins }), "brink.example").allowedOrigins;
  for (const origin of ["http://localhost:5173", "https://[::1]:8443", "capacitor://localhost"])
    expect(read(origin)).toEqual([origin]);
  for (const origin of [
    ...["https://app.example.com/", "https://app.example.com/chat", "https://App.example.com"],
    ...["https://app.example.com:443", "https://me@app.example.com", "app.example.com"],
    ...["https://*.example.com", "null", "https://a.example https://b.example"],
  ])
    expect(() => read(`https://a.example, ${origin}`)).toThrow(
      expect.objectContaining({ code: "misconfigured" }),
    );
});

it.each([
  [{ BACKEND_URL: "nonsense", BACKEND_MODEL: "m" }, "BACKEND_URL"],
  [{ BACKEND_URL: "ftp://a.example", BACKEND_MODEL: "m" }, "BACKEND_URL"],
  [{ BACKEND_URL: "https://a.example" }, "BACKEND_MODEL"],
  [{ BRINK_ADMIN_KEY_SHA256: "secret" }, "BRINK_ADMIN_KEY_SHA256"],
  [{ BACKEND_PRICE_INPUT_PER_MTOK: "0.5" }, "BACKEND_PRICE_OUTPUT_PER_MTOK"],
  [
    { BACKEND_PRICE_INPUT_PER_MTOK: "cheap", BACKEND_PRICE_OUTPUT_PER_MTOK: "1" },
    "BACKEND_PRICE_INPUT_PER_MTOK",
  ],
])("%o is misconfigured, and the message names the variable", (variables, name) => {
  const read = () => readConfig(env(variables), "brink.example");
  expect(read).toThrow(expect.objectContaining({ code: "misconfigured" }));
  expect(read).toThrow(name);
});

it("a backend has a URL and a model, a key where one is set, and its model's name", () => {
  const variables = { BACKEND_URL: "https://a.example/v1", BACKEND_MODEL: "org/m" };
  const [backend, ...others] = readConfig(env(variables), "brink.example").backends;
  expect(others).toEqual([]);
  expect(backend).toMatchObject({
    name: "org/m",
    url: "https://a.example/v1",
    model: "org/m",
    key: null,
    prices: null,
  });
  expect(readConfig(env({}), "brink.example").backends).toEqual([]);
});

it("a backend's prices are known where both are set", () => {
  const variables = {
    BACKEND_URL: "https://a.example",
    BACKEND_MODEL: "m",
    BACKEND_PRICE_INPUT_PER_MTOK: "0",
    BACKEND_PRICE_OUTPUT_PER_MTOK: "1.5",
  };
  const prices = { input_per_mtok: 0, output_per_mtok: 1.5 };
  const config = readConfig(env(variables), "brink.example");
  expect(config.prices).toEqual(prices);
  expect(pricesOf(config.backends, "backend:m")).toEqual(prices);
  expect(pricesOf(config.backends, "brink-reader")).toBeNull();
  expect(readConfig(env({}), "brink.example").prices).toBeNull();
});

it.each([0, "0"])("a price of %j is one, in quotes or without", (nothing) => {
  const variables = {
    ...{ BACKEND_URL: "https://a.example", BACKEND_MODEL: "m" },
    ...{ BACKEND_PRICE_INPUT_PER_MTOK: nothing, BACKEND_PRICE_OUTPUT_PER_MTOK: nothing },
    ...{ EDGE_PRICE_INPUT_PER_MTOK: nothing, EDGE_PRICE_OUTPUT_PER_MTOK: 2 },
  };
  const { prices, edgePrices } = readConfig(env(variables), "brink.example");
  expect(prices).toEqual({ input_per_mtok: 0, output_per_mtok: 0 });
  expect(edgePrices).toEqual({ input_per_mtok: 0, output_per_mtok: 2 });
});

it.each([0, "0"])("a generator's context of %j is none, in quotes or without", (nothing) => {
  const bound = { GENERATOR: {}, MODELS: {} } as Partial<Env>;
  const read = (context: string | number) =>
    readConfig(env({ ...bound, BRINK_GENERATOR_CONTEXT: context }), "brink.example").generator;
  expect(() => read(nothing)).toThrow("BRINK_GENERATOR_CONTEXT must be");
  expect(read(512)!.context).toBe(512);
});

it.each(FORWARDED)("%s of another type is refused by name, and never the default", (name) => {
  const bound = { GENERATOR: {}, MODELS: {} } as Partial<Env>;
  const prices = Object.fromEntries(FORWARDED.flatMap((n) => (/_MTOK/.test(n) ? [[n, 0]] : [])));
  for (const value of [false, true, [], ["x"], {}]) {
    const read = () => readConfig(env({ ...bound, ...prices, [name]: value }), "brink.example");
    expect(read).toThrow(expect.objectContaining({ code: "misconfigured" }));
    expect(read).toThrow(`${name} must be`);
  }
});

it.each(FORWARDED.filter((name) => !/_MTOK|_MB|_SAMPLE|_CONTEXT/.test(name)))(
  "%s is text: a number without quotes is refused by name",
  (name) => {
    for (const value of [0, 1])
      expect(() => readConfig(env({ [name]: value }), "brink.example")).toThrow(
        `${name} must be text, in quotes: it is of type number`,
      );
  },
);

it("an isolate's memory is whole MB, in quotes or without, and 0 is none", () => {
  expect([16, "16", 999_999, "", undefined].map(readIsolateBytes)).toEqual([
    ...[16e6, 16e6, 999_999e6, null, null],
  ]);
  for (const value of [0, "0", -1, 1.5, 1_000_000, "lots", Number.NaN, Number.POSITIVE_INFINITY]) {
    const read = () => readConfig(env({ BRINK_ISOLATE_MEMORY_MB: value }), "brink.example");
    expect(read).toThrow("BRINK_ISOLATE_MEMORY_MB must be a whole number of MB");
  }
});

const A = { name: "a", model: "m", url: "https://a.example/v1" };
const several = (list: unknown, rest: Record<string, unknown> = {}) =>
  env({ BACKENDS: typeof list === "string" ? list : JSON.stringify(list), ...rest });

it("several backends are read from one variable, their keys from the secrets it names", () => {
  const list = [
    { ...A, key_secret: "A_KEY", weight: 3, price_input_per_mtok: 1, price_output_per_mtok: 2 },
    { ...A, name: "b", model: "n", price_input_per_mtok: 5, price_output_per_mtok: 10 },
    { name: "edge-ai", model: "@cf/x/y", workers_ai: true, order: 1, concurrency: 8 },
  ];
  const AI = { run: () => Promise.reject(new Error("not asked")) };
  const config = readConfig(several(list, { A_KEY: "sk-a", AI }), "brink.example");
  expect(config.backends).toMatchObject([
    { name: "a", key: "sk-a", weight: 3, order: 0 },
    { name: "b", key: null, weight: 1, deadlineMs: 20_000 },
    { name: "edge-ai", url: null, order: 1, concurrency: 8, prices: null },
  ]);
  // Three quarters of the questions go to a, one quarter to b, and none to the third at first.
  expect(config.prices).toEqual({ input_per_mtok: 2, output_per_mtok: 4 });
});

it.each<[string, unknown, string]>([
  ["no JSON", "[{", "BACKENDS must be a JSON array"],
  ["no array", {}, "1 to 16 backends"],
  ["none", [], "1 to 16 backends"],
  ["too many", Array.from({ length: 17 }, (_, i) => ({ ...A, name: `b${i}` })), "1 to 16"],
  ["too long", [{ ...A, model: "m".repeat(6_000) }], "the limit is 5120"],
  ["no object", [A, 1], "BACKENDS[1] must be an object"],
  ["a field that is unknown", [{ ...A, wieght: 1 }], 'BACKENDS[0] has a field "wieght"'],
  ["no name", [{ ...A, name: undefined }], "BACKENDS[0].name must be there"],
  ["a bad name", [{ ...A, name: "a b" }], "BACKENDS[0].name is 1 to 63"],
  ["no model", [{ ...A, model: 7 }], "BACKENDS[0].model must be text"],
  ["no place", [{ name: "a", model: "m" }], "BACKENDS[0].url must be there"],
  ["two places", [{ ...A, workers_ai: true }], "workers_ai and url"],
  ["no binding", [{ name: "a", model: "m", workers_ai: true }], "the binding AI is not there"],
  ["workers_ai not true", [{ ...A, workers_ai: "yes" }], "workers_ai must be true"],
  ["a secret that is not set", [{ ...A, key_secret: "NO_KEY" }], "wrangler secret put NO_KEY"],
  ["Brink's own secret", [{ ...A, key_secret: "BRINK_ADMIN_KEY_SHA256" }], "name of a secret"],
  ["a key instead of its name", [{ ...A, key_secret: "sk-123" }], "the name of a secret"],
  ["a weight of 0", [{ ...A, weight: 0 }], "BACKENDS[0].weight must be a number from 0.001"],
  ["half a place", [{ ...A, concurrency: 1.5 }], "concurrency must be a whole number"],
  ["a deadline of an hour", [{ ...A, deadline_ms: 3.6e6 }], "deadline_ms must be a number"],
  ["one price", [{ ...A, price_input_per_mtok: 1 }], "go together"],
  ["two of a name", [A, { ...A, model: "n" }], "two backends named a"],
  ["one twice", [A, { ...A, name: "b" }], "the URL, the model and the key of one before it"],
  ["http", [{ ...A, url: "http://a.example" }], "BACKENDS[0].url must be https"],
])("BACKENDS with %s is misconfigured, and the message says what to do", (_, list, said) => {
  const secrets = { BRINK_ADMIN_KEY_SHA256: "0".repeat(64) };
  const read = () => readConfig(several(list, secrets), "brink.example");
  expect(read).toThrow(expect.objectContaining({ code: "misconfigured" }));
  expect(read).toThrow(said);
});

it("a secret's value never stands in a message, nor does BACKEND_URL go with BACKENDS", () => {
  const read = () =>
    readConfig(several([{ ...A, key_secret: "sk-very-secret-text" }]), "brink.example");
  expect(read).not.toThrow("sk-very-secret-text");
  const both = several([A], { BACKEND_URL: "https://a.example", BACKEND_MODEL: "m" });
  expect(() => readConfig(both, "brink.example")).toThrow("are both set");
});

const refused = [
  ...["http://api.example", "ftp://api.example", "https://user:pass@api.example"],
  ...["https://localhost", "https://LOCALHOST.", "https://a.localhost", "https://redis"],
  ...["https://metadata.google.internal", "https://printer.local", "https://nas.home.arpa."],
  ...["https://localhost..", "https://metadata.google.internal..."],
  ...["https://127.0.0.1", "https://127.1", "https://0x7f.1", "https://2130706433"],
  ...["https://0177.0.0.1", "https://１２７.0.0.1", "https://0", "https://0.0.0.0"],
  ...["https://10.1.2.3", "https://172.16.0.1", "https://172.31.255.255", "https://192.168.1.1"],
  ...["https://169.254.169.254", "https://100.64.0.1", "https://100.127.255.255"],
  ...["https://192.0.0.8", "https://192.0.2.1", "https://198.18.0.1", "https://198.19.255.255"],
  ...["https://198.51.100.7", "https://203.0.113.9", "https://224.0.0.1", "https://240.0.0.1"],
  ...["https://255.255.255.255", "https://[::1]", "https://[::]", "https://[::ffff:127.0.0.1]"],
  ...["https://[::ffff:8.8.8.8]", "https://[::ffff:7f00:1]", "https://[::7f00:1]"],
  ...["https://[fc00::1]", "https://[fd12:3456::1]", "https://[fe80::1]", "https://[ff02::1]"],
  ...["https://[64:ff9b::a00:1]", "https://[2002:a00:1::]", "https://[2001:0:53aa::1]"],
  ...["https://[2001:db8::1]", "https://[3fff:0fff::1]", "https://[100::1]"],
];
const allowed = [
  ...["https://api.example", "https://api.example:8443/v1?version=2", "https://a.internal.example"],
  ...["https://8.8.8.8", "https://172.15.0.1", "https://172.32.0.1", "https://100.63.255.255"],
  ...["https://100.128.0.0", "https://169.253.1.1", "https://11.0.0.1", "https://local.example"],
  ...["https://[2606:4700::1111]", "https://[2001:4860:4860::8888]", "https://[2a00::1]"],
];

it.each([
  ...refused.map((url) => [url, false] as const),
  ...allowed.map((url) => [url, true] as const),
])("outside local development, a backend at %s is taken: %s", (url, taken) => {
  const read = () => readConfig(several([{ ...A, url }]), "brink.example");
  if (taken) expect(read().backends[0]!.url).toBe(url);
  else expect(read).toThrow(expect.objectContaining({ code: "misconfigured" }));
});

it("a local run may ask its own network, over http too, but no other scheme", () => {
  const at = (url: string) => several([{ ...A, url }], { BRINK_LOCAL: "1" });
  for (const url of ["http://127.0.0.1:8000/v1", "http://ollama:11434", "https://10.0.0.1"])
    expect(readConfig(at(url), "127.0.0.1").backends[0]!.url).toBe(url);
  for (const url of ["file:///etc/passwd", "http://user:pass@127.0.0.1"])
    expect(() => readConfig(at(url), "127.0.0.1")).toThrow("BACKENDS[0].url");
  // The flag alone does not open it: the request must have come in on a loopback host.
  expect(() => readConfig(at("http://127.0.0.1:8000"), "brink.example")).toThrow("https");
});

it("a local run's documentation can be left out", () => {
  expect(readConfig(env({}), "localhost").preload).toBe(true);
  expect(readConfig(env({ BRINK_PRELOAD: "none" }), "localhost").preload).toBe(false);
  expect(() => readConfig(env({ BRINK_PRELOAD: "all" }), "localhost")).toThrow(
    "BRINK_PRELOAD must be docs or none",
  );
});

it("bindings are read once, and a public host never gets what a loopback one may have", () => {
  const flagged = env({ BRINK_LOCAL: "1" });
  const local = configOf(flagged, "http://127.0.0.1:8787/v1/models");
  expect(local.local).toBe(true);
  for (const url of ["http://localhost/", "https://[::1]:8/", "http://127.9.9.9:1/?a=b"])
    expect(configOf(flagged, url)).toBe(local);
  for (const url of [
    ...["https://api.example.com/", "http://localhost.example.com/", "http://127.0.0.1.example/"],
    ...["http://127.0.0.1@example.com/", "http://127.0.0.1:80@example.com/"],
    "http://example.com/http://localhost/",
  ])
    expect(configOf(flagged, url).local).toBe(false);
  expect(configOf(env({}), "http://localhost/").local).toBe(false);
  const wrong = env({ BRINK_ADMIN_KEY_SHA256: "x" });
  for (const _ of "12") expect(() => configOf(wrong, "http://localhost/")).toThrow(/BRINK_ADMIN/);
});
