/** Rules of the memory that the harness can break, to know that it would notice. */
import type { CopyPage } from "../../src/memory/shard-types.ts";

export interface Mutation {
  /** What becomes of a shard's answer. */
  answer?(method: string, result: unknown): unknown;
  /** Whether an object's messages leave before what it wrote is durable. */
  eager?: boolean;
}

export const MUTATIONS: Record<string, Mutation> = {
  /** What is removed while a shard is copied stays in the copy. */
  "forgotten removals": {
    answer: (method, result) =>
      method === "copyPage" ? { ...(result as CopyPage), removed: [] } : result,
  },
  /** Changes are acknowledged that a death of the object takes back. */
  "early answers": { eager: true },
  /** The first document of a page with two is not copied. */
  "short pages": {
    answer: (method, result) => {
      if (method !== "copyPage") return result;
      const page = result as CopyPage;
      return page.documents.length < 2 ? page : { ...page, documents: page.documents.slice(1) };
    },
  },
};
