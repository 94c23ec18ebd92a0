/** A new title is embedded with every passage of its document, which a patch alone cannot do. */
import { ServiceError } from "../errors.ts";
import { RETITLE_ATTEMPTS_MAX } from "../limits.ts";
import { merged, metadataFault } from "../memory/changes.ts";
import type { DocumentPatch } from "../memory/shard-types.ts";
import type { StoredDocument } from "../memory/types.ts";
import { type IngestEncoder, type IngestMemory, ingest, versionConflict } from "./ingest.ts";
import type { SubmittedDocument } from "./types.ts";

export interface RetitleMemory extends IngestMemory {
  get(id: string): Promise<StoredDocument | null>;
}

/** Stores the document as the patch leaves it, embedded anew; its new version, or null where the
 *  patch needs no new vectors: the title stays, or the caller brought the embedding. Throws
 *  `document_not_found`, `invalid_request` where the metadata gets longer than a document's may be,
 *  and `version_conflict` where the version is not the one that is wanted, or where the document
 *  changes whenever it is read. */
export async function retitle(
  memory: RetitleMemory,
  encoder: () => Promise<IngestEncoder>,
  id: string,
  patch: DocumentPatch,
  ifVersion: number | null,
): Promise<number | null> {
  for (let attempt = 1; ; attempt++) {
    const stored = await memory.get(id);
    if (stored === null) throw missingDocument(id);
    if (ifVersion !== null && stored.version !== ifVersion)
      throw versionConflict(id, stored.version, ifVersion);
    if (stored.brought || (patch.title ?? null) === stored.title) return null;
    const outcome = await ingest(memory, await encoder(), [patched(stored, patch)]);
    const [error] = outcome.errors;
    if (error === undefined) return outcome.documents[0]!.version;
    const changed = error.code === "version_conflict" && ifVersion === null;
    if (!changed || attempt === RETITLE_ATTEMPTS_MAX)
      throw new ServiceError(error.code, error.message);
  }
}

function patched(stored: StoredDocument, patch: DocumentPatch): SubmittedDocument {
  const { id, text, time, content_type, version } = stored;
  const { title = stored.title, expires_at = stored.expires_at } = patch;
  const metadata = merged(stored.metadata, patch.metadata);
  const fault = metadataFault(metadata);
  if (fault !== null) throw new ServiceError(fault.code, fault.message);
  return {
    ...{ id, text, title, metadata, expires_at, time, content_type },
    ...{ if_version: version, embedding: null },
  };
}

export function missingDocument(id: string): ServiceError {
  return new ServiceError("document_not_found", `there is no document ${JSON.stringify(id)}`);
}
