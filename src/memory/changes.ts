/** What a list of changes comes to: which stored documents go, which come, and what each change is
 *  told. Pure: nothing is written here. */
import { utf8Length } from "../../index/bytes.ts";
import { assert } from "../errors.ts";
import { METADATA_BYTES_MAX } from "../limits.ts";
import { documentDigest } from "./document-digest.ts";
import type { Change, ChangeOutcome, DocumentPatch } from "./shard-types.ts";
import type { FoundDocument } from "./store.ts";
import type { Metadata, PreparedDocument } from "./types.ts";

/** A document on its way into the tables. */
export interface NewDocument {
  row: number;
  version: number;
  updated_at: number;
  document: PreparedDocument;
  /** Whether its passages are linked where they say the same; absent: as the options say. */
  linking?: boolean;
}

export interface ChangePlan {
  /** Stored documents that are removed or replaced. */
  removed: (FoundDocument & { id: string })[];
  /** By row, ascending. */
  added: NewDocument[];
  /** One a change, in order. */
  outcomes: ChangeOutcome[];
}

/** A document as the changes so far left it. */
interface Current {
  row: number;
  version: number;
  passages: number;
  /** Null: as it is stored. */
  document: PreparedDocument | null;
}

/** Follows the changes one after the other, so that a later one of the same id sees the earlier.
 *  `load` reads a stored document whole. */
export function planChanges(
  changes: readonly Change[],
  stored: ReadonlyMap<string, FoundDocument>,
  load: (id: string) => PreparedDocument,
  now: number,
): ChangePlan {
  const current = new Map<string, Current | null>();
  const outcomes = changes.map((change): ChangeOutcome => {
    const id = idOf(change);
    const found = stored.get(id);
    const known = current.get(id);
    const before = known !== undefined ? known : found ? { ...found, document: null } : null;
    const refusal = refusalOf(change, before);
    if (refusal !== null) return outcome(id, "refused", before, refusal);
    const after = changed(change, before, load);
    if (after === "missing") return outcome(id, "missing", before);
    const tooLong = change.kind === "patch" ? metadataFault(after!.document!.metadata) : null;
    if (tooLong !== null) return outcome(id, "refused", before, tooLong);
    current.set(id, after);
    return after === null ? outcome(id, "removed", null) : outcome(id, "stored", after);
  });
  const plan: ChangePlan = { removed: [], added: [], outcomes };
  for (const [id, after] of current) {
    const found = stored.get(id);
    if (found !== undefined) plan.removed.push({ ...found, id });
    if (after === null) continue;
    const { row, version, document } = after;
    assert(document !== null, "a changed document is known whole");
    plan.added.push({ row, version, updated_at: now, document });
  }
  plan.added.sort((a, b) => a.row - b.row);
  return plan;
}

export function idOf(change: Change): string {
  return change.kind === "upsert" ? change.document.id : change.id;
}

function outcome(
  id: string,
  status: ChangeOutcome["status"],
  current: Current | null,
  error: ChangeOutcome["error"] = null,
): ChangeOutcome {
  const [version, passages] = [current?.version ?? null, current?.passages ?? 0];
  return { id, status, version, passages, error };
}

/** Why a change is refused: the document has another version than the one it was made for. */
function refusalOf(change: Change, before: Current | null): ChangeOutcome["error"] {
  if (change.kind === "forget" || change.if_version === null) return null;
  const version = before?.version ?? 0;
  if (version === change.if_version) return null;
  const is = before === null ? "is not there" : `has version ${version}`;
  const wanted = change.if_version === 0 ? "no version" : `version ${change.if_version}`;
  const message = `document ${JSON.stringify(idOf(change))} ${is}, the change is for ${wanted}`;
  return { code: "version_conflict", message };
}

/** The document after the change: null where it is gone. */
function changed(
  change: Change,
  before: Current | null,
  load: (id: string) => PreparedDocument,
): Current | null | "missing" {
  if (change.kind === "upsert") {
    const { row, document } = change;
    return { row, version: versionAfter(before), passages: document.passages.length, document };
  }
  if (before === null) return "missing";
  if (change.kind === "forget") return before.row === change.row ? null : "missing";
  if (change.kind === "remove") return null;
  const document = patched(before.document ?? load(change.id), change.patch);
  const { passages } = before;
  return { row: change.row, version: versionAfter(before), passages, document };
}

const versionAfter = (before: Current | null) => (before?.version ?? 0) + 1;

/** The document with the patch applied, and the digest that it would have had it come so; vectors
 *  stay, also under a new title. */
function patched(document: PreparedDocument, patch: DocumentPatch): PreparedDocument {
  const { title = document.title, expires_at = document.expires_at } = patch;
  const metadata = merged(document.metadata, patch.metadata);
  const after = { ...document, title, expires_at, metadata };
  const brought = document.brought ? (document.passages[0]?.vector.qs ?? null) : null;
  return { ...after, digest: documentDigest(after, brought) };
}

/** Why metadata that a patch came to is refused: patches may add up to more than a document may
 *  bring at once. Null where it is not. */
export function metadataFault(metadata: Metadata): ChangeOutcome["error"] {
  const bytes = utf8Length(JSON.stringify(metadata));
  if (bytes <= METADATA_BYTES_MAX) return null;
  const message = `metadata would have ${bytes} bytes of JSON, the limit is ${METADATA_BYTES_MAX}`;
  return { code: "invalid_request", message };
}

/** The metadata with the patch's fields set, and those taken out that it has as null. */
export function merged(metadata: Metadata, patch: Metadata | null): Metadata {
  const entries = Object.entries({ ...metadata, ...patch });
  return Object.fromEntries(entries.filter(([field]) => patch?.[field] !== null));
}
