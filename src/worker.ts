import { waitUntil } from "cloudflare:workers";
import { createApp } from "./api/app.ts";
import { addConsole } from "./api/console.ts";
import { configOf, type Env } from "./env.ts";
import { keptAlive } from "./pipeline/kept-alive.ts";
import { BrinkService } from "./pipeline/service.ts";
import { isSampled } from "./pipeline/trace-context.ts";
import { newWatch } from "./pipeline/watch.ts";

export { CacheObject } from "./ledger/cache-object.ts";
export { LedgerObject } from "./ledger/ledger-object.ts";
export { QuotaObject } from "./ledger/quota-object.ts";
export { ReplayObject } from "./ledger/replay-object.ts";
export { TraceObject } from "./ledger/trace-object.ts";
export { UsageObject } from "./ledger/usage-object.ts";
export { MemoryObject } from "./memory/memory-object.ts";
export { RouterObject } from "./router/router-object.ts";

const app = createApp<Env>((env, request, trace) => {
  const config = configOf(env, request.url);
  trace.sampled = isSampled(trace.id, config.watching.sample);
  const keepAlive = keptAlive(waitUntil);
  return {
    service: new BrinkService(env, config, keepAlive, trace),
    config,
    keepAlive,
    watch: newWatch(env, config.watching, keepAlive),
  };
});
addConsole(app);

export default app;
