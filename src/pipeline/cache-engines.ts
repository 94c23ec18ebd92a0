/** What the cache has to know of a deployment's engines. */
import type { Config } from "../env.ts";
import type { CacheDeps } from "./cache.ts";
import { NANOS_PER_USD, priceOf } from "./usage.ts";

/** What tells the configured engines apart, and what they charge. */
export function engineFacts(config: Config): Pick<CacheDeps, "engines" | "costOf"> {
  const { backends, generator } = config;
  const named = backends.map(({ name, url, model, order, weight }) => {
    return { name, url, model, order, weight };
  });
  return {
    engines: { backends: named, generator: generator?.model ?? null },
    costOf: (engine, tokens) => {
      const nanos = priceOf(config, engine, tokens);
      return nanos === null ? null : nanos / NANOS_PER_USD;
    },
  };
}
