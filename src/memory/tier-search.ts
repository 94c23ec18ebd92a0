/** A shard's candidates by its vector tier, where it has one and the search may use it. */
import type { Shard } from "./shard.ts";
import type { CandidateList, CandidateRequest } from "./shard-types.ts";

/** As Shard.candidates. The stage `tier` is what the tier took; where its answer is of no use the
 *  codes are searched instead, and the stage is `tier_failed`. */
export async function tieredCandidates(
  shard: Shard,
  request: CandidateRequest,
): Promise<CandidateList> {
  const { vector, mode } = request;
  const sure = request.tier ?? null;
  if (sure === null || vector === null || mode === "bm25") return shard.candidates(request);
  const { tier } = shard;
  if (tier === null) return shard.candidates(request);
  const startMs = performance.now();
  const near = await tier.nearest(vector, sure, (row) => shard.holds(row));
  const ms = performance.now() - startMs;
  const list = shard.candidates(request, near);
  list.timings_ms[near === null ? "tier_failed" : "tier"] = ms;
  return list;
}
