/** Which engines stand between the reader and the backends that are asked first. */
import type { Config } from "../env.ts";
import { TOKENS_EXPECTED, usdPer1k } from "../router/target.ts";
import { oncePer } from "./once-per.ts";

export interface RungEngine {
  /** As `brink.engine`. */
  engine: string;
  /** USD for 1,000 questions. */
  usd_per_1k: number;
}

/** Cheapest first: the generator that answers where a request names none, and backends that are
 *  not asked first and cost less than those that are. */
export const rungEngines = oncePer(findRungs);

function findRungs({ generator, edgePrices, backends, prices }: Config): readonly RungEngine[] {
  if (backends.length === 0) return []; // nothing that their answers could be compared with
  const cost = (of: typeof edgePrices) => usdPer1k({ ...of, ...TOKENS_EXPECTED });
  const rungs: RungEngine[] = [];
  if (generator?.model)
    rungs.push({ engine: `generator:${generator.model}`, usd_per_1k: cost(edgePrices) });
  const first = Math.min(...backends.map(({ order }) => order));
  for (const { name, order, prices: own } of backends)
    if (order > first && own !== null && prices !== null && cost(own) < cost(prices))
      rungs.push({ engine: `backend:${name}`, usd_per_1k: cost(own) });
  return rungs.sort((a, b) => a.usd_per_1k - b.usd_per_1k);
}
