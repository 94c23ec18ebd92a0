/** The two Durable Object classes, and both once more with bounds that a test can reach. */
import { LedgerObject } from "../../src/ledger/ledger-object.ts";
import { MemoryObject } from "../../src/memory/memory-object.ts";
import type { NamespaceBounds } from "../../src/memory/namespace.ts";

export { LedgerObject, MemoryObject };

export class SmallMemory extends MemoryObject {
  protected override get passagesMax(): number {
    return 4;
  }

  protected override get bounds(): NamespaceBounds {
    return { ...super.bounds, shardsMax: 1 };
  }
}

export class SmallLedger extends LedgerObject {
  protected override get keysMax(): number {
    return 2;
  }

  protected override get namespacesMax(): number {
    return 2;
  }
}

/** Its clock stands at the beginning of Unix time. */
export class PastLedger extends LedgerObject {
  protected override now(): number {
    return 0;
  }
}

export default {
  fetch: () => new Response("the tests call the objects directly", { status: 404 }),
};
