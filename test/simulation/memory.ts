/** The memory's own classes in a world, with bounds that some tens of documents reach. */
import { MemoryObject } from "../../src/memory/memory-object.ts";
import type { NamespaceBounds } from "../../src/memory/namespace.ts";
import { bucketFor, type Objects } from "./bucket.ts";
import type { Mutation } from "./mutations.ts";
import type { Instance, SimulatedObject, World } from "./world.ts";

export const ROOT = "t/n";

class SmallMemory extends MemoryObject {
  protected override get bounds(): NamespaceBounds {
    return {
      ...{ shardsMax: 6, passagesSplit: 14, residentBytesSplit: Number.POSITIVE_INFINITY },
      ...{ pageDocuments: 2, partDocuments: 3, stepPages: 2 },
    };
  }

  protected override get settings() {
    return { sealPassages: 4, segmentPassagesMax: 16, mergeFan: 3, passagesMax: 24 };
  }
}

export function memoryObject(
  world: World,
  object: SimulatedObject,
  r2: Objects,
  mutation: Mutation | null,
): Instance {
  const state = { storage: object.storage, id: { name: object.name } };
  const stub = (name: string) => ({
    shardCall: (...args: unknown[]) => world.call(object, name, "shardCall", args),
    shardGather: (...args: unknown[]) => world.call(object, name, "shardGather", args),
  });
  const env = {
    MEMORY: { getByName: stub },
    SNAPSHOTS: bucketFor(world, object, r2),
    BRINK_ISOLATE_MEMORY_MB: "16",
  };
  const make = SmallMemory as unknown as new (state: unknown, env: unknown) => Instance;
  const instance = new make(state, env);
  const answer = mutation?.answer;
  if (answer !== undefined) {
    const work = instance.shardCall as (...args: unknown[]) => Promise<unknown>;
    instance.shardCall = async (root: string, method: string, args: unknown[]) =>
      answer(method, await work.call(instance, root, method, args));
  }
  return instance;
}
