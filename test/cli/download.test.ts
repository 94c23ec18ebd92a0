/** Downloads over real HTTP on loopback that break off and go on. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { download, folderOf } from "../../cli/download.ts";

const body = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 31) & 255));

let folder: string;
let server: Server;
let url: string;
/** What the server does: the validator it gives, after how many bytes it breaks off, and what it
 *  answers whatever it is asked. */
let plan: { etag: string; breakAfter: number; status?: number };
let ranges: (string | undefined)[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "brink-download-"));
  plan = { etag: '"a"', breakAfter: Number.POSITIVE_INFINITY };
  ranges = [];
  server = createServer((request, response) => {
    const { range } = request.headers;
    ranges.push(range);
    if (plan.status !== undefined) return void response.writeHead(plan.status).end();
    const same = request.headers["if-range"] === plan.etag;
    const from = range !== undefined && same ? Number(/=(\d+)-/.exec(range)![1]) : 0;
    if (from >= body.length) return void response.writeHead(416).end();
    const rest = body.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, { etag: plan.etag, "content-length": rest.length });
    if (rest.length <= plan.breakAfter) return void response.end(rest);
    response.write(rest.subarray(0, plan.breakAfter));
    whenFetched(1, () => response.destroy());
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/models/tiny.gguf?x=1`;
});
afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Calls back once so many bytes are on the disk. */
function whenFetched(bytes: number, callback: () => void): void {
  const part = join(folder, "tiny.gguf.part");
  if (existsSync(part) && statSync(part).size >= bytes) callback();
  else setImmediate(() => whenFetched(bytes, callback));
}

it("a file comes whole, and is not fetched twice", async () => {
  const path = await download(url, folder, true);
  expect(path).toBe(join(folder, "tiny.gguf"));
  expect(readFileSync(path).equals(body)).toBe(true);
  await download(url, folder, true);
  expect(ranges).toEqual([undefined]);
});

it("after a break the rest alone is fetched", async () => {
  plan.breakAfter = 100_000;
  await expect(download(url, folder, true)).rejects.toThrow(/call again to go on/);
  expect(existsSync(join(folder, "tiny.gguf"))).toBe(false);
  plan.breakAfter = Number.POSITIVE_INFINITY;
  expect(readFileSync(await download(url, folder, true)).equals(body)).toBe(true);
  expect(ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
});

it("a file that changed meanwhile is fetched anew", async () => {
  plan.breakAfter = 100_000;
  await expect(download(url, folder, true)).rejects.toThrow();
  plan = { etag: '"b"', breakAfter: Number.POSITIVE_INFINITY };
  expect(readFileSync(await download(url, folder, true)).equals(body)).toBe(true);
});

it("a part that is whole already, or too long, is fetched anew", async () => {
  const part = join(folder, "tiny.gguf.part");
  for (const held of [body, Buffer.concat([body, body])]) {
    writeFileSync(part, held);
    writeFileSync(`${join(folder, "tiny.gguf")}.validator`, plan.etag);
    const path = await download(url, folder, true);
    expect(readFileSync(path).equals(body)).toBe(true);
    rmSync(path);
  }
  expect(ranges).toEqual(["bytes=300000-", undefined, "bytes=600000-", undefined]);
});

it("a server that answers 416 to all is refused by what it answers", async () => {
  plan.status = 416;
  await expect(download(url, folder, true)).rejects.toThrow(`${url} answered 416`);
  expect(ranges).toEqual([undefined]);
});

it("files of one folder there lie in one folder here", () => {
  expect(folderOf("https://a.example/m/x.gguf")).toBe(folderOf("https://a.example/m/y.json"));
  expect(folderOf("https://a.example/m/x.gguf")).not.toBe(folderOf("https://a.example/n/x.gguf"));
});
