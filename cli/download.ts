/** Fetches a file over HTTP into a folder; what an earlier try has got is not fetched again. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { CommandError } from "./command.ts";
import { startProgress } from "./progress.ts";
import { fetchAlong, leadsInward } from "./redirects.ts";

/** Where the file lies once it is whole. Stores of models redirect to where the bytes are; a public
 *  one may not lead into a private network. A partial file goes on where it ended as long as the
 *  server's validator (ETag or Last-Modified) is the same; otherwise it begins anew. Throws
 *  CommandError. */
export async function download(url: string, folder: string, silent: boolean): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, fileName(url));
  const [part, memo] = [`${path}.part`, `${path}.validator`];
  if (existsSync(path)) return path;
  const have = existsSync(part) && existsSync(memo) ? (await stat(part)).size : 0;
  const validator = have > 0 ? await readFile(memo, "utf8") : "";
  const range: Record<string, string> = {};
  if (have > 0 && validator !== "")
    Object.assign(range, { range: `bytes=${have}-`, "if-range": validator });
  const response = await request(url, range);
  if (response.status === 416) {
    await response.body?.cancel();
    if (range.range === undefined) throw new CommandError(`${url} answered 416`);
    await rm(part); // it is whole already or longer than the file is now
    return download(url, folder, silent);
  }
  const resumed = response.status === 206;
  const fresh = response.headers.get("etag") ?? response.headers.get("last-modified") ?? "";
  if (!resumed) await writeFile(memo, fresh);
  const start = resumed ? have : 0;
  const total = start + Number(response.headers.get("content-length") ?? 0);
  const out = await open(part, resumed ? "a" : "w");
  const progress = startProgress(`download ${basename(path)}`, total, silent);
  let done = start;
  try {
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      await out.write(chunk);
      done += chunk.length;
      progress.update(done);
    }
  } catch (error) {
    const why = (error as Error).message;
    throw new CommandError(`the download broke off at byte ${done} (${why}): call again to go on`);
  } finally {
    progress.end();
    await out.close();
  }
  if (total > start && done !== total)
    throw new CommandError(`the download ended at byte ${done} of ${total}: call again to go on`);
  await rename(part, path);
  return path;
}

async function request(url: string, headers: Record<string, string>): Promise<Response> {
  const init = { headers: { ...headers, "accept-encoding": "identity" } };
  const { response } = await fetchAlong(url, init, leadsInward).catch((error: Error) => {
    throw new CommandError(`${url} cannot be fetched: ${String(error.cause ?? error.message)}`);
  });
  if ((response.ok && response.body !== null) || response.status === 416) return response;
  throw new CommandError(`${url} answered ${response.status}`);
}

/** The URL's last name; files of one folder there lie in one folder here, apart from others'. */
function fileName(url: string): string {
  const name = decodeURIComponent(basename(new URL(url).pathname));
  if (!/^[\w.-]+$/.test(name)) throw new CommandError(`${url} names no file`);
  return name;
}

/** A folder's name for all files that lie beside each other at their source. */
export function folderOf(url: string): string {
  return createHash("sha256").update(new URL(".", url).href).digest("hex").slice(0, 16);
}
