/** The documents behind a note's answer: by them it is known that it may no longer hold. */
import { NOTE_SOURCES_MAX, READER_PASSAGES } from "../limits.ts";
import type { FoundDocument } from "../memory/store.ts";
import type { Outcome } from "../router/outcome.ts";
import type { NoteDeps } from "./notes-find.ts";
import type { Note, NoteSource } from "./notes-types.ts";
import { citedNumbers } from "./prompt.ts";

/** A document as it was when it was read; without a digest where an earlier release wrote it down,
 *  without either where that is not known. */
type Read = Partial<Pick<NoteSource, "version" | "digest">>;

type Found = Pick<FoundDocument, "version" | "digest"> | null | undefined;

/** Whether the document says what it said. A version alone does not tell: it starts anew once the
 *  document was removed, and goes back with a restore. */
export function isUnchanged({ version, digest }: Read, found: Found): boolean {
  if (!found) return false;
  if (digest !== undefined) return digest === found.digest;
  return version === undefined || version === found.version;
}

/** The documents that the answer cites, or else the first that were read, as they were read; null
 *  where one changed since, so that nobody knows what the answer is worth now. The text's
 *  marks do not tell: the reader's [1] is its evidence, wherever that was among what it read. Of a
 *  backend's answer they do, which an earlier release kept without the rest. */
export async function sourcesOf(
  deps: NoteDeps,
  tenant: string,
  { namespace, passages, route, text, cited: told }: Outcome,
): Promise<NoteSource[] | null> {
  const marks = route === "backend" ? citedNumbers(text, passages.length) : [];
  const cited = told ?? marks.map((number) => passages[number - 1]!.document_id);
  const read = new Map<string, Read>(passages.map((passage) => [passage.document_id, passage]));
  const first = passages.slice(0, READER_PASSAGES).map(({ document_id }) => document_id);
  const behind = cited.filter((id) => read.has(id));
  const ids = [...new Set(behind.length > 0 ? behind : first)].slice(0, NOTE_SOURCES_MAX);
  if (ids.length === 0) return [];
  const found = await deps.memory(tenant, namespace!).find(ids);
  const same = ids.every((id, i) => isUnchanged(read.get(id)!, found[i]));
  return same ? sourcesFrom(ids, found) : null;
}

/** A note's sources as they are now, without those that are gone. */
export async function refreshSources(
  deps: NoteDeps,
  tenant: string,
  namespace: string,
  { sources }: Note,
): Promise<NoteSource[]> {
  if (sources.length === 0) return [];
  const ids = sources.map(({ document_id }) => document_id);
  return sourcesFrom(ids, await deps.memory(tenant, namespace).find(ids));
}

function sourcesFrom(ids: readonly string[], found: readonly Found[]): NoteSource[] {
  return ids.flatMap((document_id, i) => {
    const one = found[i];
    return one ? [{ document_id, version: one.version, digest: one.digest }] : [];
  });
}
