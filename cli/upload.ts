/** Sends a model file to a service's store, in parts, beginning where an earlier try broke off. */
import { open } from "node:fs/promises";
import type { Client } from "./client.ts";
import { startProgress } from "./progress.ts";

interface Upload {
  upload_id: string;
  part_bytes: number;
  parts: number[];
}

/** A model's bytes on their way. */
export interface UploadSource {
  bytes: number;
  sha256: string;
  /** For an ONNX model, see POST /admin/models/{name}/uploads. */
  onnx?: { manifest: object; tokenizer_bytes: number };
  read(start: number, length: number): Promise<Uint8Array>;
}

/** Uploads a file, as `uploadParts` does. */
export async function uploadModel(
  client: Client,
  name: string,
  file: { path: string; bytes: number; sha256: string },
  silent: boolean,
): Promise<unknown> {
  const { path, bytes, sha256 } = file;
  const handle = await open(path);
  const read = async (start: number, length: number) => {
    const buffer = new Uint8Array(length);
    const { bytesRead } = await handle.read(buffer, 0, length, start);
    if (bytesRead < length) throw new Error(`${path} has become shorter while it was sent`);
    return buffer;
  };
  try {
    return await uploadParts(client, name, { bytes, sha256, read }, silent);
  } finally {
    await handle.close();
  }
}

/** The service knows an unfinished upload by its name, size and digest, and tells which parts it
 *  has; only the others are sent. The stored model. */
export async function uploadParts(
  client: Client,
  name: string,
  { read, ...source }: UploadSource,
  silent: boolean,
): Promise<unknown> {
  const at = `/admin/models/${encodeURIComponent(name)}/uploads`;
  const { bytes } = source;
  const upload = (await client.call("POST", at, source)) as Upload;
  const { upload_id, part_bytes } = upload;
  const there = new Set(upload.parts);
  if (there.size > 0 && !silent)
    console.error(`going on with an upload: ${there.size} parts are there`);
  const progress = startProgress("upload", bytes, silent);
  try {
    for (let part = 1; (part - 1) * part_bytes < bytes; part++) {
      const start = (part - 1) * part_bytes;
      const length = Math.min(part_bytes, bytes - start);
      if (!there.has(part))
        await client.call("PUT", `${at}/${upload_id}/parts/${part}`, await read(start, length));
      progress.update(start + length);
    }
  } finally {
    progress.end();
  }
  return client.call("POST", `${at}/${upload_id}/complete`);
}
