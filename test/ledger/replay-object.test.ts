import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { REPLAY_MS_MAX, REPLAY_RUNNING_MS_MAX } from "../../src/limits.ts";

const reply = (bytes = 3) => {
  return { status: 201, type: "application/json", body: new Uint8Array(bytes).fill(7) };
};

it("a write is claimed once, is under way, then done, and outlives an eviction", async () => {
  const replays = env.REPLAYS.getByName("claims");
  expect(await replays.claim("a", "f", "t1")).toEqual({ state: "new" });
  expect(await replays.claim("a", "f", "t2")).toEqual({ state: "running" });
  expect(await replays.claim("a", "g", "t2")).toEqual({ state: "other" });
  await replays.finish("a", "t1", reply());
  await evictDurableObject(replays);
  expect(await replays.claim("a", "f", "t3")).toEqual({ state: "done", reply: reply() });
  expect(await replays.claim("a", "g", "t3")).toEqual({ state: "other" });
});

it("a hundred claims at once have one winner", async () => {
  const replays = env.REPLAYS.getByName("race");
  const tokens = Array.from({ length: 100 }, (_, i) => `t${i}`);
  const claims = await Promise.all(tokens.map((token) => replays.claim("a", "f", token)));
  expect(claims.filter(({ state }) => state === "new")).toHaveLength(1);
  expect(claims.filter(({ state }) => state === "running")).toHaveLength(99);
});

it("a claim that was given up, or whose isolate has gone, is the next one's", async () => {
  const replays = env.REPLAYS.getByName("left");
  await replays.claim("a", "f", "t1");
  await replays.release("a", "t1");
  expect(await replays.claim("a", "f", "t2")).toEqual({ state: "new" });
  await replays.passMs(REPLAY_RUNNING_MS_MAX);
  expect(await replays.claim("a", "f", "t3")).toEqual({ state: "new" });
  await replays.finish("a", "t2", reply());
  await replays.release("a", "t2");
  expect(await replays.claim("a", "f", "t4")).toEqual({ state: "running" });
});

it("a reply is kept for a day", async () => {
  const replays = env.REPLAYS.getByName("day");
  await replays.claim("a", "f", "t1");
  await replays.finish("a", "t1", reply());
  await replays.passMs(REPLAY_MS_MAX - 1);
  expect(await replays.claim("a", "f", "t2")).toMatchObject({ state: "done" });
  await replays.passMs(1);
  expect(await replays.claim("a", "f", "t2")).toEqual({ state: "new" });
});

it("what is past its day goes by the alarm, though nobody asks", async () => {
  const replays = env.REPLAYS.getByName("alarm");
  // The object's clock stands beside the runtime's: whether an alarm is set is all that it tells.
  const kept = () =>
    runInDurableObject(replays, async (_, { storage }) => {
      const ids = storage.sql.exec("SELECT id FROM replays ORDER BY id").toArray();
      return [ids.map(({ id }) => id).join(""), (await storage.getAlarm()) !== null];
    });
  await replays.claim("a", "f", "t1");
  await replays.passMs(1_000);
  await replays.claim("b", "f", "t1");
  await expect.poll(kept).toEqual(["ab", true]);
  await replays.passMs(REPLAY_MS_MAX - 1_000);
  await runDurableObjectAlarm(replays);
  await expect.poll(kept).toEqual(["b", true]);
  await replays.passMs(1_000);
  await runDurableObjectAlarm(replays);
  await expect.poll(kept).toEqual(["", false]);
});

it("the oldest go beyond the bounds of number and of bytes", async () => {
  const replays = env.REPLAYS.getByName("bounds");
  const put = async (id: string, bytes: number) => {
    await replays.claim(id, "f", "t");
    await replays.finish(id, "t", reply(bytes));
    await replays.passMs(1);
  };
  for (const id of ["a", "b", "c", "d", "e", "f"]) await put(id, 10);
  expect(await replays.claim("b", "f", "x")).toMatchObject({ state: "done" });
  expect(await replays.claim("a", "f", "x")).toEqual({ state: "new" });
  await put("big", 990);
  expect(await replays.claim("big", "f", "x")).toMatchObject({ state: "done" });
  expect(await replays.claim("e", "f", "x")).toEqual({ state: "new" });
});
