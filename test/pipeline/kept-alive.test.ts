import { expect, it, vi } from "vitest";
import { keptAlive } from "../../src/pipeline/kept-alive.ts";

/** Whether a promise has settled, once all that can go on has. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  promise.then(() => {
    done = true;
  });
  await new Promise((next) => setTimeout(next, 0));
  return done;
}

it("the runtime is asked once, and waits for the last of what came meanwhile", async () => {
  const waitUntil = vi.fn();
  const keepAlive = keptAlive(waitUntil);
  const [first, second, third] = [1, 2, 3].map(() => Promise.withResolvers<void>());
  keepAlive(first!.promise);
  keepAlive(second!.promise);
  expect(waitUntil).toHaveBeenCalledOnce();
  const waited = waitUntil.mock.calls[0]![0];
  first!.resolve();
  expect(await settled(waited)).toBe(false);
  second!.resolve();
  expect(await settled(waited)).toBe(true);
  keepAlive(third!.promise); // which begins where all else is done
  expect(waitUntil).toHaveBeenCalledTimes(2);
  const again = waitUntil.mock.calls[1]![0];
  expect(await settled(again)).toBe(false);
  third!.resolve();
  expect(await settled(again)).toBe(true);
});

it("a failure is logged and holds up nothing", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => {});
  const waitUntil = vi.fn();
  const keepAlive = keptAlive(waitUntil);
  keepAlive(Promise.reject(new Error("no disk")));
  expect(await settled(waitUntil.mock.calls[0]![0])).toBe(true);
  expect(logged.mock.calls[0]![0]).toContain("no disk");
  logged.mockRestore();
});
