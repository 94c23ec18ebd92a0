import { expect, it } from "vitest";
import { describeFailure } from "../../src/api/failure.ts";
import { ServiceError, toldCodeOf } from "../../src/errors.ts";
import { within } from "../../src/pipeline/within.ts";

const never = new Promise<never>(() => {});

it("what comes in time is given, and what failed fails as it did", async () => {
  expect(await within(1_000, async () => 7)).toBe(7);
  const refused = new ServiceError("memory_busy", "not now");
  await expect(within(1_000, () => Promise.reject(refused))).rejects.toBe(refused);
});

it("what does not come in time counts as the platform's failure", async () => {
  const late = await within(1, () => never).catch((error: unknown) => error);
  expect(toldCodeOf(late)).toBe("storage_unavailable");
});

it("the platform's failures are told as such, in Brink's words, and bugs are not", () => {
  const lost = Object.assign(new Error("Network connection lost."), { retryable: true });
  const { status, body } = describeFailure(lost);
  expect([status, body.error.code]).toEqual([503, "storage_unavailable"]);
  expect(body.error.message).not.toContain("Network");
  const bucket = new Error("put: We encountered an internal error. Please try again. (10001)");
  expect(toldCodeOf(bucket)).toBe("storage_unavailable");
  const bugs = [new Error("line 4 (10001) is odd"), { retryable: false }, null, "text"];
  expect(bugs.map(toldCodeOf)).toEqual([null, null, null, null]);
  const own = Object.assign(new ServiceError("memory_full", "full"), { retryable: true });
  expect(toldCodeOf(own)).toBe("memory_full");
});
