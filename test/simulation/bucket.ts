/** R2 as the memory uses it: each call is a message, which may be late or lost. */
import type { SimulatedObject, World } from "./world.ts";

interface Stored {
  bytes: Uint8Array;
  customMetadata: Record<string, string>;
}

/** What all objects see. */
export type Objects = Map<string, Stored>;

/** How many a call lists, so that lists have pages. */
const LISTED_MAX = 4;

/** The bucket as one object has it. */
export function bucketFor(world: World, owner: SimulatedObject, objects: Objects): R2Bucket {
  const ask = <T>(method: string, effect: () => T) => world.external(owner, `r2 ${method}`, effect);
  const bucket = {
    put: (
      key: string,
      value: Uint8Array | string,
      options?: { customMetadata?: Record<string, string> },
    ) => {
      const bytes =
        typeof value === "string" ? new TextEncoder().encode(value) : new Uint8Array(value);
      const { customMetadata = {} } = options ?? {};
      return ask("put", () => {
        objects.set(key, { bytes, customMetadata });
        return {};
      });
    },
    get: (key: string) =>
      ask("get", () => {
        const found = objects.get(key);
        if (found === undefined) return null;
        const text = async () => new TextDecoder().decode(found.bytes);
        return { text, arrayBuffer: async () => new Uint8Array(found.bytes).buffer };
      }),
    head: (key: string) => ask("head", () => (objects.has(key) ? { key } : null)),
    delete: (keys: string | string[]) =>
      ask("delete", () => {
        for (const key of [keys].flat()) objects.delete(key);
      }),
    list: ({ prefix, cursor, limit }: { prefix: string; cursor?: string; limit?: number }) =>
      ask("list", () => {
        const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).sort();
        const after = keys.filter((key) => cursor === undefined || key > cursor);
        const page = after.slice(0, Math.min(limit ?? LISTED_MAX, LISTED_MAX));
        return {
          objects: page.map((key) => {
            const { bytes, customMetadata } = objects.get(key)!;
            return { key, size: bytes.length, customMetadata };
          }),
          truncated: after.length > page.length,
          cursor: page.at(-1),
        };
      }),
  };
  return bucket as unknown as R2Bucket;
}
