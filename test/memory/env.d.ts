/// <reference types="@cloudflare/vitest-plugin/types" />
declare namespace Cloudflare {
  interface Env {
    MEMORY: DurableObjectNamespace<import("../../src/memory/memory-object.ts").MemoryObject>;
    SMALL_MEMORY: DurableObjectNamespace<import("./worker.ts").SmallMemory>;
    STEPPED_MEMORY: DurableObjectNamespace<import("./worker.ts").SteppedMemory>;
    TIERED_MEMORY: DurableObjectNamespace<import("./worker.ts").TieredMemory>;
    TIGHT_MEMORY: DurableObjectNamespace<import("./worker.ts").TightMemory>;
    SNAPSHOTS: R2Bucket;
    LEDGER: DurableObjectNamespace<import("../../src/ledger/ledger-object.ts").LedgerObject>;
    SMALL_LEDGER: DurableObjectNamespace<import("./worker.ts").SmallLedger>;
    PAST_LEDGER: DurableObjectNamespace<import("./worker.ts").PastLedger>;
    QUOTA: DurableObjectNamespace<import("../../src/ledger/quota-object.ts").QuotaObject>;
    CLOCKED_QUOTA: DurableObjectNamespace<import("./worker.ts").ClockedQuota>;
    TRACES: DurableObjectNamespace<import("./worker.ts").SmallTraces>;
    REPLAYS: DurableObjectNamespace<import("./worker.ts").SmallReplays>;
    CACHES: DurableObjectNamespace<import("./worker.ts").SmallCache>;
    USAGE: DurableObjectNamespace<import("../../src/ledger/usage-object.ts").UsageObject>;
    ROUTER: DurableObjectNamespace<import("../../src/router/router-object.ts").RouterObject>;
    SMALL_ROUTER: DurableObjectNamespace<import("./worker.ts").SmallRouter>;
    MODELS: R2Bucket;
  }
}
