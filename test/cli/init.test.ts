/** `brink init`, and which service and key a command then takes. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { addressOf, serviceUrl } from "../../cli/address.ts";
import type { Values } from "../../cli/command.ts";
import { init } from "../../cli/init.ts";
import { writeProfiles } from "../../cli/profiles.ts";
import { runCommand } from "./said.ts";

const { checkout } = vi.hoisted(() => ({ checkout: { root: "" } }));
vi.mock("../../cli/run-script.ts", () => checkout);

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "brink-init-"));
  path = join(folder, "deep", "config.json");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const before = { ...process.env };
for (const name of ["BRINK_URL", "BRINK_KEY", "BRINK_PROFILE", "BACKEND_KEY"]) delete before[name];

/** Runs what follows with these variables. */
async function within<T>(env: Record<string, string>, run: () => T): Promise<Awaited<T>> {
  const kept = process.env;
  process.env = { ...before, BRINK_CONFIG: path, ...env };
  try {
    return await run();
  } finally {
    process.env = kept;
  }
}

const run = (values: Values, env: Record<string, string> = {}) =>
  within(env, () => runCommand(init, [], values));
const profiles = () => JSON.parse(readFileSync(path, "utf8"));
const modeOf = (file: string) => statSync(file).mode & 0o777;

it("a profile is written for its owner's eyes alone, and another beside it", async () => {
  const first = await run({});
  expect(first.out).toContain(`wrote profile local in ${path}`);
  const url = "https://brink.example";
  await run({ profile: "production", url }, { BRINK_KEY: "brink-secret" });
  expect(profiles()).toEqual({
    current: "production",
    profiles: {
      local: { url: "http://127.0.0.1:8787", key: null },
      production: { url, key: "brink-secret" },
    },
  });
  expect([modeOf(path), modeOf(join(folder, "deep"))]).toEqual([0o600, 0o700]);
});

it("what is there is not replaced unless that is said", async () => {
  const [one, two] = ["https://one.example", "https://two.example"];
  await run({ url: one }, { BRINK_KEY: "brink-one" });
  await expect(run({ url: two })).rejects.toThrow(`profile local (${one}) is there`);
  expect(profiles().profiles.local.url).toBe(one);
  await run({ url: one });
  expect(profiles().profiles.local.key).toBe("brink-one");
  const { result, out } = await run({ url: two, yes: true, json: true });
  expect([result, out]).toEqual([
    { written: [{ path, what: "profile local", replaced: true }] },
    "",
  ]);
  expect(profiles().profiles.local).toEqual({ url: two, key: null });
});

it("the /v1 that clients of OpenAI's take is no part of where a service is", async () => {
  const url = "https://brink.example";
  for (const given of [`${url}/v1`, `${url}/v1/`, `${url}//v1//`, `${url}/`])
    expect([given, serviceUrl(given)]).toEqual([given, url]);
  expect(serviceUrl(`${url}/deep/v1`)).toBe(`${url}/deep`);
  for (const other of ["http://v1", `${url}/v10`, `${url}/av1`])
    expect(serviceUrl(other)).toBe(other);
  expect([serviceUrl("v1"), serviceUrl("file:///v1")]).toEqual([null, null]);
  await run({ url: `${url}/v1` }, { BRINK_KEY: "k" });
  expect(profiles().profiles.local).toEqual({ url, key: "k" });
  writeProfiles({ current: "old", profiles: { old: { url: `${url}/v1/`, key: "k" } } }, path);
  const address = (values: Values, env: Record<string, string> = {}) =>
    within(env, () => addressOf(values));
  expect(await address({})).toMatchObject({ url, key: "k" });
  expect(await address({}, { BRINK_URL: `${url}/v1` })).toMatchObject({ url, key: "k" });
  expect(await address({ url: `${url}/v1/` })).toMatchObject({ url, key: "k" });
});

it("a backend goes to the checkout's .dev.vars, where other variables stay", async () => {
  checkout.root = folder;
  const vars = join(folder, ".dev.vars");
  writeFileSync(vars, "BRINK_ALLOWED_ORIGINS='https://a.example'\n", { mode: 0o644 });
  const elsewhere = join(folder, "elsewhere");
  const cwd = vi.spyOn(process, "cwd").mockReturnValue(elsewhere);
  const backend = { "backend-url": "http://127.0.0.1:9/v1", "backend-model": "m" };
  try {
    const { out } = await run(backend, { BACKEND_KEY: "sk-1" });
    expect(out).toContain(`wrote the backend in ${vars}`);
    const lines = () => readFileSync(vars, "utf8").trim().split("\n");
    expect(lines()).toEqual([
      "BRINK_ALLOWED_ORIGINS='https://a.example'",
      "BACKEND_URL='http://127.0.0.1:9/v1'",
      "BACKEND_MODEL='m'",
      "BACKEND_KEY='sk-1'",
    ]);
    expect(modeOf(vars)).toBe(0o600);
    await expect(run(backend)).rejects.toThrow("would be replaced");
    expect(lines()).toHaveLength(4);
    expect(existsSync(elsewhere)).toBe(false);
  } finally {
    cwd.mockRestore();
  }
});

it("wrong use is refused, and a file that is not ours is left alone", async () => {
  await expect(run({ url: "ftp://x" })).rejects.toThrow("--url is an http or https URL");
  await expect(run({ profile: "a b" })).rejects.toThrow("--profile is a name");
  await expect(run({ "backend-url": "http://x/v1" })).rejects.toThrow("--backend-model is missing");
  path = join(folder, "config.json");
  writeFileSync(path, '{"profiles": {"local": {"url": 7}}}');
  await expect(run({ yes: true })).rejects.toThrow("is no configuration of brink's");
  expect(readFileSync(path, "utf8")).toContain("7");
});

it("options go first, then a named profile, the environment, the profile in use", async () => {
  const address = (values: Values, env: Record<string, string> = {}) =>
    within(env, () => {
      const { url, key } = addressOf(values);
      return [url, key];
    });
  expect(await address({})).toEqual(["http://127.0.0.1:8787", "brink-admin"]);
  const [a, b] = ["https://a.example", "https://b.example"];
  const two = { a: { url: a, key: "ka" }, b: { url: `${b}/`, key: null } };
  writeProfiles({ current: "a", profiles: two }, path);
  expect(await address({})).toEqual([a, "ka"]);
  expect(await address({ profile: "b" }, { BRINK_KEY: "k" })).toEqual([b, "k"]);
  expect(await address({}, { BRINK_PROFILE: "b" })).toEqual([b, "brink-admin"]);
  expect(await address({ profile: "a" }, { BRINK_URL: b, BRINK_KEY: "k" })).toEqual([a, "ka"]);
  expect(await address({}, { BRINK_URL: b })).toEqual([b, "brink-admin"]); // a's key is a's alone
  expect(await address({}, { BRINK_URL: b, BRINK_KEY: "k" })).toEqual([b, "k"]);
  expect(await address({ url: b, key: "x" }, { BRINK_URL: a })).toEqual([b, "x"]);
  await expect(address({ profile: "c" })).rejects.toThrow('no profile "c" (known: a, b)');
  await expect(address({ url: "x" })).rejects.toThrow("x is no http or https URL");
});

it("a profile may be called as what every object has", async () => {
  const url = "https://one.example";
  await run({ profile: "constructor", url });
  expect(profiles().profiles.constructor.url).toBe(url);
  const missing = within({}, () => addressOf({ profile: "toString" }));
  await expect(missing).rejects.toThrow('there is no profile "toString"');
});
