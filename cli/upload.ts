/** Sends a model file to a service's store, in parts, beginning where an earlier try broke off. */
import { open } from "node:fs/promises";
import type { Client } from "./client.ts";
import { startProgress } from "./progress.ts";

interface Upload {
  upload_id: string;
  part_bytes: number;
  parts: number[];
}

/** The service knows an unfinished upload by the file's name, size and digest, and tells which
 *  parts it has; only the others are sent. The stored model. */
export async function uploadModel(
  client: Client,
  name: string,
  file: { path: string; bytes: number; sha256: string },
  silent: boolean,
): Promise<unknown> {
  const at = `/admin/models/${encodeURIComponent(name)}/uploads`;
  const { bytes, sha256 } = file;
  const upload = (await client.call("POST", at, { bytes, sha256 })) as Upload;
  const { upload_id, part_bytes } = upload;
  const there = new Set(upload.parts);
  if (there.size > 0 && !silent)
    console.error(`going on with an upload: ${there.size} parts are there`);
  const handle = await open(file.path);
  const progress = startProgress("upload", bytes, silent);
  try {
    for (let part = 1; (part - 1) * part_bytes < bytes; part++) {
      const start = (part - 1) * part_bytes;
      const length = Math.min(part_bytes, bytes - start);
      if (!there.has(part)) {
        const buffer = new Uint8Array(length);
        await handle.read(buffer, 0, length, start);
        await client.call("PUT", `${at}/${upload_id}/parts/${part}`, buffer);
      }
      progress.update(start + length);
    }
  } finally {
    progress.end();
    await handle.close();
  }
  return client.call("POST", `${at}/${upload_id}/complete`);
}
