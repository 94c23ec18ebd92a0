/** Every bound of what a request says is reached, and not passed. */
import { expect, it } from "vitest";
import * as limits from "../../src/limits.ts";
import { startApi } from "../api/fake-service.ts";
import { REQUEST_BOUNDS, type RequestBound } from "./request-bounds.ts";

const BOUNDS = new Map<string, unknown>(Object.entries(limits));

async function refused({ at, body, headers }: RequestBound, n: number) {
  const [method, path] = (at instanceof Function ? at(n) : at).split(" ") as [string, string];
  const options = { method, json: body?.(n), headers: headers?.(n) };
  const response = await startApi().call(path, options);
  const reply = (await response.json()) as { error?: object; errors?: object[] };
  return reply.errors?.[0] ?? reply.error ?? null;
}

it.each(REQUEST_BOUNDS.map((bound) => [bound.name, bound] as const))(
  "what a request may have is taken, and more is refused: %s",
  async (name, bound) => {
    const most = BOUNDS.get(name) as number;
    expect(await refused(bound, most)).toBe(null);
    const error = await refused(bound, most + (bound.step ?? 1));
    expect(error).toMatchObject({ code: "invalid_request" });
  },
);
