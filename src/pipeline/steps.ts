/** Long work in steps, between which the isolate turns to other requests. */

/** What `work` gives for each item, in order; it is given `size` of them at a time, and gives as
 *  many. */
export async function inSteps<Item, Result>(
  items: readonly Item[],
  size: number,
  work: (step: readonly Item[]) => readonly Result[],
): Promise<Result[]> {
  const results: Result[] = [];
  for (let at = 0; at < items.length; at += size) {
    if (at > 0) await new Promise((turn) => setTimeout(turn, 0));
    results.push(...work(items.slice(at, at + size)));
  }
  return results;
}
