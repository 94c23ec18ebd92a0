/** The Worker as it is, its memory with bounds that a few hundred documents reach: shards split,
 *  memtables seal and segments merge all the time. */
export { default, LedgerObject, MemoryObject } from "../../src/worker.ts";
