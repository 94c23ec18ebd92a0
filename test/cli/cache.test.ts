/** The caches of answers from the command line, against a service over HTTP. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { cacheClear, cacheSet, cacheShow } from "../../cli/cache.ts";
import type { CacheState } from "../../src/pipeline/cache-types.ts";
import { FakeBrink } from "./fake-brink.ts";
import { runCommand } from "./said.ts";

let service: FakeBrink;
beforeEach(async () => {
  service = await new FakeBrink().start();
});
afterEach(() => service.stop());

const reply = (call: string, body: unknown) => service.canned.set(call, [{ status: 200, body }]);
const STATE: CacheState = {
  policy: { exact: "repeatable", semantic: true, cosine_min: 0.8, ttl_s: 60 },
  own: ["ttl_s"],
  answers: 12,
  questions: 7,
  bytes: 2_048,
};

it("what holds is shown with where it is from, of the tenant or of a namespace", async () => {
  reply("GET /admin/cache", { ...STATE, own: [], questions: 0 });
  const values = { url: service.url };
  const { out } = await runCommand(cacheShow, [], values);
  expect(out).toMatch(/^exact +repeatable +default$/m);
  expect(out).toMatch(/^semantic +on +default$/m);
  expect(out).toContain("12 answers kept, 2.0 KB");
  reply("GET /admin/namespaces/a%20b/cache", STATE);
  const of = await runCommand(cacheShow, ["a b"], values);
  expect(of.out).toMatch(/^ttl_s +60 +set here$/m);
  expect(of.out).toContain("12 answers kept, 7 of them found in other words too, 2.0 KB");
  await expect(runCommand(cacheShow, ["a", "b"], values)).rejects.toThrow("one namespace, or none");
});

it("what is named is set, `default` takes it back, and nothing else is sent", async () => {
  reply("PUT /admin/cache", STATE);
  const values = { url: service.url };
  await runCommand(cacheSet, [], { ...values, exact: "all", semantic: "off", "ttl-s": "60" });
  reply("PUT /admin/namespaces/docs/cache", STATE);
  await runCommand(cacheSet, ["docs"], { ...values, "cosine-min": "0.9", "ttl-s": "default" });
  expect(service.bodies.map((body) => JSON.parse(body))).toEqual([
    { exact: "all", semantic: false, ttl_s: 60 },
    { cosine_min: 0.9, ttl_s: null },
  ]);
});

it("nothing to set, and what is no number, are refused before the service is asked", async () => {
  const values = { url: service.url };
  await expect(runCommand(cacheSet, ["docs"], values)).rejects.toThrow("name what changes");
  for (const text of ["", "soon"])
    await expect(runCommand(cacheSet, [], { ...values, "ttl-s": text })).rejects.toThrow(
      `--ttl-s is a number or default, not ${JSON.stringify(text)}`,
    );
  expect(service.bodies).toEqual([]);
});

it("answers are forgotten, and how many there were is told", async () => {
  reply("DELETE /admin/namespaces/docs/cache", { purged: 3 });
  const { out } = await runCommand(cacheClear, ["docs"], { url: service.url });
  expect(out).toContain("forgot 3 answers");
  reply("DELETE /admin/cache", { purged: 1 });
  const all = await runCommand(cacheClear, [], { url: service.url });
  expect(all.out).toBe("forgot 1 answer");
});
