/** GET /admin/metrics -> 200: figures of the isolate that answers, as Prometheus text. */
import { endpoint, newApi } from "./context.ts";
import { z } from "./schema/common.ts";
import { NEEDS_ADMIN_KEY, replies } from "./schema/replies.ts";

export const adminMetrics = newApi();

endpoint(
  adminMetrics,
  {
    method: "get",
    path: "/admin/metrics",
    summary: "Show figures of the isolate that answers, as Prometheus text",
    security: NEEDS_ADMIN_KEY,
    responses: replies(200, "Prometheus text format 0.0.4", z.string(), "text/plain"),
  },
  (c) => {
    const { linearMemoryBytes } = c.var.service.metrics();
    const text = `# HELP brink_linear_memory_bytes Linear memory of the isolate's WebAssembly.
# TYPE brink_linear_memory_bytes gauge
brink_linear_memory_bytes ${linearMemoryBytes}
`;
    return c.body(text, 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
  },
);
