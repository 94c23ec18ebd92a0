/** The Worker as it is, except that one isolate may hold many objects: the local runtime puts all
 *  of a namespace's shards into one, where a deployment gives each its own. */
import worker, { LedgerObject, MemoryObject as Memory } from "../../src/worker.ts";

export class MemoryObject extends Memory {
  protected override get settings() {
    return { ...super.settings, isolateBytesMax: 2_000_000_000 };
  }
}

export { LedgerObject };

export default worker;
