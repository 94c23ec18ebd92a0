/** GET /healthz -> 200 once the service can answer, until then 503 `starting`. Needs no key. */
import { ServiceError } from "../errors.ts";
import { endpoint, newApi } from "./context.ts";
import { z } from "./schema/common.ts";
import { replies } from "./schema/replies.ts";

export const health = newApi();

const HealthReply = z.object({ status: z.literal("ok"), detail: z.string() }).openapi("Health");

endpoint(
  health,
  {
    method: "get",
    path: "/healthz",
    summary: "Say whether the service is ready",
    responses: replies(200, "Ready", HealthReply),
  },
  async (c) => {
    const { ready, detail } = await c.get("service").health();
    if (!ready) throw new ServiceError("starting", detail);
    return c.json({ status: "ok", detail });
  },
);
