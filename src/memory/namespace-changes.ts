/** Changes as a namespace takes them, and what it says of those that no shard sees. */
import { codeOf, type ErrorCode } from "../errors.ts";
import type { ChangeOutcome, DocumentPatch } from "./shard-types.ts";
import type { PreparedDocument } from "./types.ts";

/** A change before it has its row. With `if_version` it applies only to that version of the
 *  document; 0 means that there is none. */
export type NewChange =
  | { kind: "upsert"; document: PreparedDocument; if_version: number | null }
  | { kind: "remove"; id: string; if_version: number | null }
  | { kind: "patch"; id: string; patch: DocumentPatch; if_version: number | null };

export function idOf(change: NewChange | { kind: "forget"; id: string }): string {
  return change.kind === "upsert" ? change.document.id : change.id;
}

/** The dimension of the first vector that changes bring; null where they bring none. */
export function dimOf(changes: readonly NewChange[]): number | null {
  for (const change of changes)
    if (change.kind === "upsert" && change.document.passages.length > 0)
      return change.document.passages[0]!.vector.qs.length;
  return null;
}

/** What is wrong with the vectors of a change; null where nothing is. */
export function wrongDimension(change: NewChange, dim: number | null): string | null {
  if (change.kind !== "upsert") return null;
  const wrong = change.document.passages.find(({ vector }) => vector.qs.length !== dim);
  if (wrong === undefined) return null;
  return `a vector has ${wrong.vector.qs.length} dimensions, those of this memory have ${dim}`;
}

export function refused(id: string, code: ErrorCode, message: string): ChangeOutcome {
  return { id, status: "refused", version: null, passages: 0, error: { code, message } };
}

/** The outcome of a change whose shard threw. */
export function failed(id: string, reason: unknown): ChangeOutcome {
  const message = reason instanceof Error ? reason.message : String(reason);
  const code = codeOf(reason);
  if (code !== null) return refused(id, code, message);
  return refused(id, "shard_unavailable", "the document's shard did not answer: try again");
}
