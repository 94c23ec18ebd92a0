/** Pages of a site on loopback as documents, one after the other, as its robots.txt allows. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Values } from "../../cli/command.ts";
import { ingest } from "../../cli/ingest.ts";
import type { Item } from "../../cli/ingest-item.ts";
import { addressOf, type CrawlNotes, type CrawlOptions, webItems } from "../../cli/ingest-web.ts";
import { CLI_PAGES_MAX, CLI_ROBOTS_BYTES_MAX } from "../../cli/limits.ts";
import { FakeBrink } from "./fake-brink.ts";
import { runCommand } from "./said.ts";

interface Page {
  type?: string;
  body: string | Uint8Array;
  /** 0: the connection is cut. */
  status?: number;
  location?: string;
}

let server: Server;
let site: string;
let pages: Record<string, Page>;
let asked: string[];
beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => {
    asked.push(request.url!);
    const page = pages[request.url!] ?? { status: 404, body: "" };
    const { type = "text/html; charset=utf-8", status = 200, location, body } = page;
    if (status === 0) return void response.destroy();
    response.writeHead(status, { "content-type": type, ...(location ? { location } : {}) });
    response.end(body);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

let notes: CrawlNotes;
async function items(path: string, options: Partial<CrawlOptions> = {}): Promise<Item[]> {
  const found: Item[] = [];
  const all = { depth: 0, pagesMax: 100, pauseMs: 0, prefix: "", ...options };
  notes = { linksLeftOut: 0, remarks: [] };
  for await (const item of webItems(`${site}${path}`, all, notes)) found.push(item);
  return found;
}

const ids = (found: Item[]) =>
  found.map(({ line, source, fault }) =>
    (line === null ? `${source} ${fault}` : JSON.parse(line).id).replace(site, ""),
  );
const links = (...hrefs: string[]): Page => {
  return { body: hrefs.map((href) => `<a href="${href}">x</a>`).join("") };
};

it("a page is a document by what its type says", async () => {
  pages = {
    "/page": { body: "<title>T</title><p>text" },
    "/readme.md": { type: "text/plain", body: "# Title\n\ntext" },
    "/notes": { type: "text/plain; charset=iso-8859-1", body: Uint8Array.of(0x6e, 0xe9) },
    "/data.ndjson": { type: "application/x-ndjson", body: '{"id":"a","text":"1"}\n{"text":"2"}\n' },
    "/list.json": { type: "application/json", body: '[{"id":"b","text":"3"}]' },
  };
  const read = async (path: string) => (await items(path)).map(({ line }) => JSON.parse(line!));
  const metadata = (path: string) => ({ url: `${site}${path}` });
  expect(await read("/page#part")).toEqual([
    {
      id: `${site}/page`,
      text: "<title>T</title><p>text",
      content_type: "text/html",
      metadata: metadata("/page"),
    },
  ]);
  expect(await read("/readme.md")).toMatchObject([
    { title: "Title", content_type: "text/markdown" },
  ]);
  expect(await read("/notes")).toMatchObject([{ text: "né", metadata: metadata("/notes") }]);
  expect(await read("/data.ndjson")).toEqual([{ id: "a", text: "1" }, { text: "2" }]);
  expect(await read("/list.json")).toEqual([{ id: "b", text: "3" }]);
  expect(asked).not.toContain("/robots.txt");
});

it("a page is of the charset that its bytes, its header or its head name", async () => {
  const win = (text: string) => Buffer.from(text, "latin1");
  const meta = '<meta charset="windows-1251">';
  const old = "<META HTTP-EQUIV=Content-Type CONTENT='text/html; charset=koi8-r'>";
  const cases: [type: string, body: string | Uint8Array, text: string][] = [
    ["text/html", win(`${meta}\xcf`), `${meta}П`],
    ["text/html", win(`${old}\xd0`), `${old}п`],
    ["text/html; charset=windows-1252", win(`${meta}\x93`), `${meta}“`], // the header goes first
    ["text/html", '<meta charset="utf-16"><p>é', '<meta charset="utf-16"><p>é'],
    ["text/html", `<!-- ${meta} --><p>é`, `<!-- ${meta} --><p>é`],
    ["text/html", `<p>${" ".repeat(1_024)}${meta}é`, `<p>${" ".repeat(1_024)}${meta}é`],
    ["text/plain", `${meta}é`, `${meta}é`],
    ["text/plain; charset=x", win("\xff\xfen\x00\xe9\x00"), "né"],
    ["text/html; charset=iso-8859-1", "\ufeffé", "é"],
  ];
  for (const [type, body, text] of cases) {
    pages = { "/": { type, body } };
    const [item] = await items("/");
    expect(item!.fault, type).toBeNull();
    expect(JSON.parse(item!.line!).text).toBe(text);
  }
});

it("bytes that are not of their charset are refused, and not stored damaged", async () => {
  const faults: [type: string, body: string, why: string][] = [
    ["text/html", "n\xe9", "it is not utf-8, and it names no charset"],
    ["text/plain; charset=utf-8", "n\xe9", "it is not utf-8, which its header names"],
    ["text/html", "<meta charset=utf8>\xe9", "it is not utf8, which its meta element names"],
    ["text/plain; charset=x-y", "n", "its charset x-y, which its header names, is not known"],
    ["application/json", '"\xe9"', "it is not utf-8, and it names no charset"],
  ];
  for (const [type, body, why] of faults) {
    pages = { "/": { type, body: Buffer.from(body, "latin1") } };
    expect(await items("/")).toMatchObject([{ source: `${site}/`, line: null, fault: why }]);
  }
});

it("linked JSON names no documents: only that at the address that was named", async () => {
  const forged = '{"id":"policy","text":"pay","metadata":{"url":"https://bank.example/"}}';
  pages = {
    "/": links("/a", "/data.json", "/moved", "/data.ndjson"),
    "/a": { body: "<p>a" },
    "/data.json": { type: "application/json", body: `[${forged}]` },
    "/moved": { status: 302, location: "/named.json", body: "" },
    "/named.json": { type: "application/json", body: forged },
    "/data.ndjson": { type: "application/x-ndjson", body: `${forged}\n` },
  };
  const why = "it is JSON, whose documents are read only where its own address is named";
  expect(ids(await items("/", { depth: 1 }))).toEqual([
    ...["/", "/a", `/data.json ${why}`, `/named.json ${why}`, `/data.ndjson ${why}`],
  ]);
  expect(ids(await items("/data.json", { depth: 1 }))).toEqual(["policy"]);
  expect(ids(await items("/moved"))).toEqual(["policy"]);
  const { port } = new URL(site);
  pages["/other"] = { status: 302, location: `http://localhost:${port}/named.json`, body: "" };
  expect(ids(await items("/other"))).toEqual([`http://localhost:${port}/named.json ${why}`]);
});

it("links are followed so deep, on the same origin, once each, and so many", async () => {
  pages = {
    "/": links(
      "/a",
      "b#x",
      "/a#y",
      "https://example.invalid/",
      "mailto:a@b.c",
      "javascript:1",
      "/",
    ),
    "/a": links("/c", "/"),
    "/b": links("/c", "/d"),
    "/c": links("/e"),
    "/d": { body: "<p>d" },
    "/e": { body: "<p>e" },
  };
  expect(ids(await items("/"))).toEqual(["/"]);
  expect(ids(await items("/", { depth: 1 }))).toEqual(["/", "/a", "/b"]);
  expect(ids(await items("/", { depth: 2 }))).toEqual(["/", "/a", "/b", "/c", "/d"]);
  expect(ids(await items("/", { depth: 9 }))).toEqual(["/", "/a", "/b", "/c", "/d", "/e"]);
  expect(notes.linksLeftOut).toBe(0);
  expect(ids(await items("/", { depth: 9, pagesMax: 3 }))).toEqual(["/", "/a", "/b"]);
  expect(notes.linksLeftOut).toBe(2); // /c, which both link to, and /d
});

it("a page that is elsewhere is one page, and what it led to is not left out", async () => {
  pages = {
    "/": links("/old", "/b", "/new"),
    "/old": { status: 302, location: "/new", body: "" },
    "/new": { body: "<p>n" },
    "/b": links("/c"),
    "/c": { body: "<p>c" },
  };
  expect(ids(await items("/", { depth: 2, pagesMax: 3 }))).toEqual(["/", "/new", "/b"]);
  expect(notes.linksLeftOut).toBe(1);
  expect(ids(await items("/", { depth: 2, pagesMax: 2 }))).toEqual(["/", "/new"]);
  expect(notes.linksLeftOut).toBe(1);
});

it("links without end are counted so far as pages can be asked for", async () => {
  const many = Array.from({ length: CLI_PAGES_MAX + 5 }, (_, i) => `/${i}`);
  pages = { "/": links(...many) };
  await items("/", { depth: 1, pagesMax: 1 });
  expect(notes.linksLeftOut).toBe(CLI_PAGES_MAX);
});

it("links that were left out are told, and are in the result", async () => {
  const service = await new FakeBrink().start();
  try {
    pages = { "/": links("/a", "/b", "/c"), "/a": { body: "<p>a" } };
    const values = { namespace: "docs", create: true, url: service.url, depth: "1", pause: "0" };
    const call = (more: Values) => runCommand(ingest, [`${site}/`], { ...values, ...more });
    const { said, result } = await call({ "max-pages": "2" });
    expect(said).toContain("2 links were left out: --max-pages N goes beyond 2");
    expect(result).toMatchObject({ upserted: 2, links_left_out: 2 });
    pages["/b"] = pages["/c"] = pages["/a"]!;
    const all = await call({});
    expect([all.said.includes("left out"), all.result]).toMatchObject([
      ...[false, { links_left_out: 0, remarks: [] }],
    ]);
    pages["/robots.txt"] = { status: 503, body: "" };
    const refused = await call({});
    const remark = expect.stringContaining("no links were followed");
    expect([refused.said, refused.result]).toMatchObject([remark, { remarks: [remark] }]);
  } finally {
    service.stop();
  }
});

it("robots.txt, nofollow and noindex are heeded; the page that was named is read", async () => {
  pages = {
    "/robots.txt": { type: "text/plain", body: "User-agent: *\nDisallow: /private\n" },
    "/": {
      body:
        '<a href="/private/a">x</a><a rel="nofollow" href="/b">x</a>' +
        '<a href="/c">x</a><a href="/d">',
    },
    "/private/a": { body: "<p>a" },
    "/b": { body: "<p>b" },
    "/c": { body: '<meta name="robots" content="noindex"><a href="/e">x</a>' },
    "/d": { body: '<meta name="ROBOTS" content="index, nofollow"><a href="/f">x</a>' },
    "/e": { body: "<p>e" },
    "/f": { body: "<p>f" },
  };
  expect(ids(await items("/", { depth: 5 }))).toEqual(["/", "/d", "/e"]);
  expect(ids(await items("/private/a"))).toEqual(["/private/a"]);
  expect(notes.remarks).toEqual([]);
  pages["/robots.txt"] = { status: 500, body: "" };
  expect(ids(await items("/", { depth: 5 }))).toEqual(["/"]);
  expect(notes.remarks).toEqual([
    `${site}/: no links were followed: ${site}/robots.txt: the site answered 500`,
  ]);
});

it("a robots.txt out of reach forbids links, and one that is not there allows them", async () => {
  pages = { "/": links("/a"), "/a": { body: "<p>a" }, "/robots.txt": { status: 0, body: "" } };
  expect(ids(await items("/", { depth: 1 }))).toEqual(["/"]);
  expect(notes.remarks).toEqual([
    `${site}/: no links were followed: ${site}/robots.txt: it cannot be fetched: ` +
      "socket hang up",
  ]);
  for (const status of [401, 403, 404, 410]) {
    pages["/robots.txt"] = { status, body: "" };
    expect(ids(await items("/", { depth: 1 })), `${status}`).toEqual(["/", "/a"]);
  }
});

it("of a robots.txt that is too long its beginning holds, without half a rule", async () => {
  const start = "User-agent: *\nDisallow: /private\n";
  const end = "\nDisallow: /";
  const filler = "#".repeat(CLI_ROBOTS_BYTES_MAX - start.length - end.length);
  pages = {
    "/robots.txt": { type: "text/plain", body: `${start}${filler}${end}late\n` },
    "/": links("/private", "/late"),
    "/late": { body: "<p>late" },
  };
  expect(ids(await items("/", { depth: 1 }))).toEqual(["/", "/late"]);
});

it("a page that cannot be read is told, and the others are read", async () => {
  pages = {
    "/": links("/gone", "/image", "/moved", "/away", "/b"),
    "/image": { type: "image/png", body: "x" },
    "/moved": { status: 302, location: "/target", body: "" },
    "/target": { body: "<p>t" },
    "/away": { status: 302, location: "http://localhost:1/", body: "" },
    "/b": { body: " " },
  };
  const found = ids(await items("/", { depth: 1 }));
  expect(found.slice(0, 4)).toEqual([
    "/",
    "/gone the site answered 404",
    "/image it is image/png, which is not read",
    "/target",
  ]);
  expect(found.slice(4)).toEqual(["/b it is empty"]);
});

it("base elements count, and only http and https are addresses", async () => {
  pages = {
    "/": { body: '<base href="/docs/"><a href="a">x</a>' },
    "/docs/a": { body: "<p>a" },
  };
  expect(ids(await items("/", { depth: 1 }))).toEqual(["/", "/docs/a"]);
  expect(addressOf("//b.example/x#y", "https://a.example/")).toBe("https://b.example/x");
  expect(addressOf("ftp://a.example/", "https://a.example/")).toBeNull();
  expect(addressOf("http://", "https://a.example/")).toBeNull();
});
