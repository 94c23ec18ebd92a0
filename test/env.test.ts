import { expect, it } from "vitest";
import { type Env, readConfig } from "../src/env.ts";

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

it("a backend has a URL and a model, and a key where one is set", () => {
  const variables = { BACKEND_URL: "https://a.example/v1", BACKEND_MODEL: "m" };
  expect(readConfig(env(variables), "brink.example").backend).toEqual({
    url: "https://a.example/v1",
    model: "m",
    key: null,
  });
});

it("a backend's prices are known where both are set", () => {
  const variables = { BACKEND_PRICE_INPUT_PER_MTOK: "0", BACKEND_PRICE_OUTPUT_PER_MTOK: "1.5" };
  expect(readConfig(env(variables), "brink.example").prices).toEqual({
    input_per_mtok: 0,
    output_per_mtok: 1.5,
  });
  expect(readConfig(env({}), "brink.example").prices).toBeNull();
});
