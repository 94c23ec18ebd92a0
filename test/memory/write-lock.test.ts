import { expect, it } from "vitest";
import { codeOf } from "../../src/errors.ts";
import { WriteLock } from "../../src/memory/write-lock.ts";

/** A promise with its handles. */
function gate() {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

it("work runs one at a time, in order, past failures", async () => {
  const lock = new WriteLock(10);
  const seen: string[] = [];
  const { open, opened } = gate();
  const first = lock.run(async () => {
    seen.push("first in");
    await opened;
    seen.push("first out");
    throw new Error("first");
  });
  const second = lock.run(() => {
    seen.push("second");
    return 2;
  });
  await Promise.resolve();
  expect(seen).toEqual(["first in"]);
  open();
  await expect(first).rejects.toThrow("first");
  expect(await second).toBe(2);
  expect(seen).toEqual(["first in", "first out", "second"]);
  expect(lock.waiting).toBe(0);
});

it("one more than may wait is memory_busy, the memory's own work is not", async () => {
  const lock = new WriteLock(2);
  const { open, opened } = gate();
  const running = [lock.run(() => opened), lock.run(() => 1), lock.run(() => 2)];
  expect(codeOf(await lock.run(() => 3).catch((error) => error))).toBe("memory_busy");
  const own = lock.run(() => 4, true);
  open();
  expect(await Promise.all([...running, own])).toEqual([undefined, 1, 2, 4]);
  expect(await lock.run(() => 5)).toBe(5);
});
