/** The router: what operators send and get back. */
import { parse, z } from "./common.ts";

const Target = z.strictObject({
  max_risk: z.number().min(0).max(1).openapi({
    description: "The highest accepted probability that an edge answer is not good enough.",
  }),
});

export const RouterRequest = z.strictObject({ target: Target }).openapi("RouterRequest");

/** Throws `invalid_request`. */
export function parseRouter(body: unknown): { max_risk: number } {
  return parse(RouterRequest, body).target;
}

export const RouterReply = z
  .object({ target: Target, threshold: z.number(), weights_version: z.string() })
  .openapi("Router");
