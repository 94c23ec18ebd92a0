/** Files and folders as documents. */
import { createReadStream, type Stats } from "node:fs";
import { lstat, readdir, readFile, stat } from "node:fs/promises";
import { basename, extname, join, relative, sep } from "node:path";
import { DOCUMENT_LINE_BYTES_MAX } from "../src/limits.ts";
import { CommandError } from "./command.ts";
import {
  decode,
  fault,
  type Item,
  jsonItems,
  lineItems,
  type TextType,
  textItem,
} from "./ingest-item.ts";
import {
  CLI_FILE_BYTES_MAX,
  CLI_FILES_MAX,
  CLI_FOLDER_DEPTH_MAX,
  CLI_JSON_BYTES_MAX,
} from "./limits.ts";
import { oneLine } from "./table.ts";

export type FileKind = TextType | "lines" | "json";

const KINDS: Record<string, FileKind> = {
  ".ndjson": "lines",
  ".jsonl": "lines",
  ".json": "json",
  ".md": "text/markdown",
  ".markdown": "text/markdown",
  ".html": "text/html",
  ".htm": "text/html",
  ".xhtml": "text/html",
  ".txt": "text/plain",
  ".text": "text/plain",
};

/** A file that will be read. */
export interface SourceFile {
  path: string;
  /** As errors name it, and a document's id: relative to the folder that was named. */
  name: string;
  kind: FileKind;
  bytes: number;
  modifiedMs: number;
}

export interface FoundFiles {
  files: SourceFile[];
  /** How many in folders are of no kind that is read. */
  others: number;
}

/** The files that a path names: itself, or those below a folder, in the order of their names.
 *  Hidden ones, node_modules and links within folders are left out. Throws CommandError. */
export async function findFiles(path: string, named: FileKind | null): Promise<FoundFiles> {
  const found: FoundFiles = { files: [], others: 0 };
  const refuse = (error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return new CommandError(`${error.path ?? path} does not exist`);
    return new CommandError(oneLine(`${error.path ?? path} cannot be read: ${error.message}`));
  };
  const about = await stat(path).catch((error) => {
    throw refuse(error);
  });
  if (about.isDirectory()) {
    await walk(path, path, 0, named, found).catch((error) => {
      throw error instanceof CommandError ? error : refuse(error);
    });
    return found;
  }
  const kind = named ?? KINDS[extname(path).toLowerCase()];
  if (kind === undefined)
    throw new CommandError(
      `${path}: what it holds is not plain from its name: say with --type text, markdown, html, ` +
        "json or ndjson",
    );
  found.files.push(sourceFile(path, basename(path), kind, about));
  return found;
}

function sourceFile(path: string, name: string, kind: FileKind, about: Stats): SourceFile {
  return { path, name, kind, bytes: about.size, modifiedMs: Math.round(about.mtimeMs) };
}

async function walk(
  root: string,
  folder: string,
  depth: number,
  named: FileKind | null,
  found: FoundFiles,
): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    if (entry.isDirectory()) {
      if (depth + 1 >= CLI_FOLDER_DEPTH_MAX)
        throw new CommandError(
          `${oneLine(path)} is more than ${CLI_FOLDER_DEPTH_MAX} folders deep`,
        );
      await walk(root, path, depth + 1, named, found);
    } else if (entry.isFile()) {
      const kind = KINDS[extname(entry.name).toLowerCase()] ?? named;
      if (kind === null) {
        found.others++;
        continue;
      }
      const name = relative(root, path).split(sep).join("/");
      found.files.push(sourceFile(path, name, kind, await lstat(path)));
      if (found.files.length > CLI_FILES_MAX)
        throw new CommandError(`${root} holds more than ${CLI_FILES_MAX} files`);
    }
  }
}

/** The file's documents. Its name after `prefix` is the id of a file that is one document. */
export async function* fileItems(file: SourceFile, prefix: string): AsyncGenerator<Item> {
  const { path, name, kind, bytes } = file;
  if (kind === "lines") {
    try {
      yield* lineItems(name, createReadStream(path), DOCUMENT_LINE_BYTES_MAX);
    } catch (error) {
      yield fault(name, (error as Error).message, bytes);
    }
    return;
  }
  const bytesMax = kind === "json" ? CLI_JSON_BYTES_MAX : CLI_FILE_BYTES_MAX;
  if (bytes > bytesMax) {
    const remedy = kind === "json" ? ": make it NDJSON, a document a line" : "";
    yield fault(name, `it has ${bytes} bytes, the limit is ${bytesMax}${remedy}`, bytes);
    return;
  }
  let text: string;
  try {
    text = decode(await readFile(path));
  } catch (error) {
    const known = error instanceof TypeError;
    yield fault(name, known ? "it is not UTF-8" : (error as Error).message, bytes);
    return;
  }
  if (kind === "json") yield* jsonItems(name, text, bytes);
  else yield textItem(name, `${prefix}${name}`, text, kind, { path: `${prefix}${name}` }, bytes);
}
