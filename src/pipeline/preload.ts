/** Fills the namespace `docs` with Brink's own documentation, under `npm start` only. */

import { openAsset } from "./models.ts";
import type { Caller, Service, SubmittedDocument } from "./types.ts";

export const DOCS_NAMESPACE = "docs";

/** Documents a step: health checks in between can say how far it is. */
const DOCUMENTS_PER_STEP = 4;

type Progress = { state: "idle" | "running" | "done"; detail: string };
const progress: Progress = { state: "idle", detail: "not begun" };

/** How far this isolate's preload is; without `documents` the namespace is made and left empty.
 *  The first call that finds it idle does the work and
 *  resolves when it is done; calls meanwhile resolve at once. A failed preload throws and is
 *  tried again by the next call. */
export async function preloadDocs(
  assets: Fetcher,
  service: Service,
  documents: boolean,
): Promise<Progress> {
  if (progress.state !== "idle") return progress;
  progress.state = "running";
  try {
    await load(assets, service, documents);
    Object.assign(progress, { state: "done", detail: "ok" });
  } finally {
    if (progress.state === "running") progress.state = "idle";
  }
  return progress;
}

async function load(assets: Fetcher, service: Service, withDocuments: boolean): Promise<void> {
  const caller: Caller = {
    tenant: "default",
    scopes: ["admin"],
    namespaces: null,
    default_namespace: DOCS_NAMESPACE,
  };
  await service.memoryAdmin.putNamespace(caller, DOCS_NAMESPACE, {});
  if (!withDocuments) return;
  const lines = await new Response(await openAsset(assets, "docs.ndjson")).text();
  const documents = lines.trim().split("\n").map(parseLine);
  for (let i = 0; i < documents.length; i += DOCUMENTS_PER_STEP) {
    progress.detail = `loading Brink's documentation, ${i} of ${documents.length} documents`;
    await service.memoryAdmin.ingest(
      caller,
      DOCS_NAMESPACE,
      documents.slice(i, i + DOCUMENTS_PER_STEP),
    );
  }
  await removeStale(service, caller, new Set(documents.map(({ id }) => id!)));
}

function parseLine(line: string): SubmittedDocument {
  const { id, title, text, metadata } = JSON.parse(line);
  const marked = { ...metadata, source: "brink" };
  const none = { expires_at: null, time: null, if_version: null, embedding: null };
  return { ...none, id, title, text, metadata: marked, content_type: "text/markdown" };
}

/** Sections that an earlier version had and this one has not; what others added stays. */
async function removeStale(
  service: Service,
  caller: Caller,
  current: ReadonlySet<string>,
): Promise<void> {
  let cursor: string | null = null;
  do {
    const page = await service.memoryAdmin.listDocuments(caller, DOCS_NAMESPACE, {
      limit: 1_000,
      cursor,
    });
    for (const { id, metadata } of page.documents)
      if (metadata.source === "brink" && !current.has(id))
        await service.memoryAdmin.deleteDocument(caller, DOCS_NAMESPACE, id, null);
    cursor = page.cursor;
  } while (cursor !== null);
}
