/** The figures of the caches as Prometheus text. */
import type { CacheTotals } from "../pipeline/cache-log.ts";
import { block, type Sample } from "./prometheus.ts";

/** Counters since the isolate began, of all tenants together. */
export function describeCache(cache: CacheTotals): string {
  const { hits, semantic, misses, stored, failures } = cache;
  const counter = (name: string, help: string, samples: Sample[]) =>
    block(`brink_cache_${name}`, "counter", help, samples);
  return [
    counter("answers_total", "Answers that were looked for, by what came of it.", [
      [{ outcome: "hit" }, hits],
      [{ outcome: "semantic" }, semantic],
      [{ outcome: "miss" }, misses],
    ]),
    counter("stored_total", "Answers that were kept.", [[{}, stored]]),
    counter("failures_total", "Uses of the cache that failed, without harm.", [[{}, failures]]),
    counter("tokens_saved_total", "Tokens that answers given again took the first time.", [
      [{ kind: "prompt" }, cache.prompt_tokens_saved],
      [{ kind: "completion" }, cache.completion_tokens_saved],
    ]),
    counter("usd_saved_total", "What these cost, in USD, as far as prices are known.", [
      [{}, cache.usd_saved],
    ]),
  ].join("");
}
