/** Folders of files for what reads them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** By their path in the folder; what is neither text nor bytes is written as JSON. */
export type FolderFiles = Record<string, unknown>;

/** Writes the files below `root`, over those that are there. */
export function writeFolder(root: string, files: FolderFiles): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    const raw = typeof content === "string" || content instanceof Uint8Array;
    writeFileSync(path, raw ? content : JSON.stringify(content));
  }
}
