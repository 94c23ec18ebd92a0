/** The Worker as it is, its memory with bounds that a few hundred documents reach: memtables are
 *  sealed and segments merged all the time, shards split, and copies have many pages to be killed
 *  between. */
import worker, {
  CacheObject,
  LedgerObject,
  MemoryObject as Memory,
  QuotaObject,
  ReplayObject,
  RouterObject,
  TraceObject,
  UsageObject,
} from "../../src/worker.ts";

export class MemoryObject extends Memory {
  protected override get settings() {
    return { ...super.settings, sealPassages: 32, segmentPassagesMax: 256 };
  }

  protected override get bounds() {
    return { ...super.bounds, passagesSplit: 700, pageDocuments: 16, stepPages: 4 };
  }
}

export {
  CacheObject,
  LedgerObject,
  QuotaObject,
  ReplayObject,
  RouterObject,
  TraceObject,
  UsageObject,
};

export default worker;
