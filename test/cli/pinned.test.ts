/** That what is fetched is fetched from where its name was first found to lead. Names are played;
 *  connections go to loopback. */
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createSocketServer, type Socket } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { webItems } from "../../cli/ingest-web.ts";
import { addressesOf, fetchPinned } from "../../cli/pinned.ts";
import { leadsInward } from "../../cli/redirects.ts";

/** What each look-up of a name finds, in order; with the last one every name is unknown. */
let answers: Record<string, string[][]>;
vi.mock("node:dns", () => ({
  promises: {
    lookup: async (host: string) => {
      const addresses = answers[host]?.shift();
      if (addresses === undefined) throw new Error(`getaddrinfo ENOTFOUND ${host}`);
      return addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    },
  },
}));

let server: Server;
let port: number;
let asked: string[];
let replies: Record<string, { headers?: Record<string, string>; body: string | Uint8Array }>;
beforeEach(async () => {
  [answers, asked, replies] = [{}, [], {}];
  server = createServer((request, response) => {
    asked.push(`${request.headers.host}${request.url}`);
    if (request.url === "/silent") return;
    const { headers = { "content-type": "text/html" }, body } = replies[request.url!] ?? {
      body: "<p>text",
    };
    response.writeHead(200, headers).end(body);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  port = (server.address() as AddressInfo).port;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

it("a name that leads elsewhere later is still connected to where it first led", async () => {
  const site = `http://rebound.example.com:${port}`;
  answers["rebound.example.com"] = [["127.0.0.1"], ["192.0.2.1"], ["192.0.2.1"]];
  replies["/"] = { body: '<a href="/a">x</a>' };
  const ids: string[] = [];
  const options = { depth: 1, pagesMax: 100, pauseMs: 0, prefix: "" };
  for await (const item of webItems(`${site}/`, options, { linksLeftOut: 0, remarks: [] }))
    ids.push(item.fault ?? JSON.parse(item.line!).id);
  expect(ids).toEqual([`${site}/`, `${site}/a`]);
  const host = `rebound.example.com:${port}`;
  expect(asked).toEqual([`${host}/robots.txt`, `${host}/`, `${host}/a`]);
  expect(answers["rebound.example.com"]).toHaveLength(2);
});

it("what a redirect was looked at for is what is connected to", async () => {
  answers["from.example.com"] = [["93.184.216.34"]];
  answers["to.example.com"] = [["93.184.216.35"], ["127.0.0.1"]];
  const to = new URL(`http://to.example.com:${port}/`);
  expect(await leadsInward(new URL("https://from.example.com/"), to)).toBeNull();
  const looked = await addressesOf("to.example.com");
  expect(looked).toEqual([{ address: "93.184.216.35", family: 4 }]);
  expect(answers["to.example.com"]).toHaveLength(1);
});

it("a name that was not found is looked up again", async () => {
  const url = new URL(`http://late.example.com:${port}/`);
  await expect(fetchPinned(url, { headers: {} })).rejects.toThrow(/ENOTFOUND/);
  answers["late.example.com"] = [["127.0.0.1"]];
  expect((await fetchPinned(url, { headers: {} })).status).toBe(200);
});

it("over TLS the server is asked for the URL's name, not for its address", async () => {
  answers["secure.example.com"] = [["127.0.0.1"]];
  const hello = Promise.withResolvers<Buffer>();
  const listener = createSocketServer((socket: Socket) => {
    socket.once("data", (bytes) => {
      hello.resolve(bytes);
      socket.destroy();
    });
    socket.on("error", () => {});
  });
  await new Promise<void>((done) => listener.listen(0, "127.0.0.1", done));
  const url = new URL(`https://secure.example.com:${(listener.address() as AddressInfo).port}/`);
  await expect(fetchPinned(url, { headers: {} })).rejects.toThrow();
  expect((await hello.promise).includes("secure.example.com")).toBe(true); // in clear: SNI
  listener.close();
});

it("a body comes decoded, and one that is cut short is an error", async () => {
  const text = "naïve ".repeat(1_000);
  const encodings = { gzip: gzipSync, br: brotliCompressSync, deflate: deflateSync };
  for (const [encoding, encode] of Object.entries(encodings)) {
    replies["/"] = { headers: { "content-encoding": encoding }, body: encode(text) };
    const reply = await fetchPinned(new URL(`http://127.0.0.1:${port}/`), { headers: {} });
    expect(await reply.text(), encoding).toBe(text);
  }
  replies["/"] = { headers: { "content-encoding": "gzip" }, body: gzipSync(text).subarray(0, 40) };
  const cut = await fetchPinned(new URL(`http://127.0.0.1:${port}/`), { headers: {} });
  await expect(cut.text()).rejects.toThrow();
});

it("a reply that does not come in time is an error, and a user's name is not sent", async () => {
  const silent = new URL(`http://127.0.0.1:${port}/silent`);
  const signal = AbortSignal.timeout(50);
  await expect(fetchPinned(silent, { headers: {}, signal })).rejects.toThrow(/timeout/);
  await expect(
    fetchPinned(silent, { headers: {}, signal: AbortSignal.abort(new Error("left")) }),
  ).rejects.toThrow("left");
  const named = new URL(`http://user:secret@127.0.0.1:${port}/`);
  await expect(fetchPinned(named, { headers: {} })).rejects.toThrow("is not fetched");
  expect(asked.filter((one) => one.endsWith("/"))).toEqual([]);
});
