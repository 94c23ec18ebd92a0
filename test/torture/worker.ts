/** The Worker as it is, its memory with bounds that a few hundred documents reach: shards split,
 *  and copies have many pages to be killed between. */
import worker, { LedgerObject, MemoryObject as Memory } from "../../src/worker.ts";

export class MemoryObject extends Memory {
  protected override get bounds() {
    return { ...super.bounds, passagesSplit: 700, pageDocuments: 16 };
  }
}

export { LedgerObject };

export default worker;
