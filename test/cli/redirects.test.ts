/** Where redirects lead an ingest or a download, and where not. Public hosts are played: no name is
 *  looked up, and what is no loopback address is never connected to. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { download } from "../../cli/download.ts";
import type { Item } from "../../cli/ingest-item.ts";
import { webItems } from "../../cli/ingest-web.ts";
import { CLI_REDIRECTS_MAX } from "../../cli/limits.ts";
import { modelsAdd } from "../../cli/models-add.ts";
import { leadsInward } from "../../cli/redirects.ts";
import { runCommand } from "./said.ts";

const NAMES: Record<string, string[]> = {
  "docs.example.com": ["93.184.216.34"],
  "www.example.com": ["93.184.216.35", "2606:2800::1"],
  "wiki.example.com": ["10.0.0.5"],
  "mixed.example.com": ["93.184.216.36", "fe80::1%eth0"],
};
vi.mock("node:dns", () => ({
  promises: {
    lookup: async (host: string) => {
      const addresses = NAMES[host];
      if (addresses === undefined) throw new Error(`getaddrinfo ENOTFOUND ${host}`);
      return addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    },
  },
}));
vi.mock("../../cli/pinned.ts", async (original) => {
  const real = await original<typeof import("../../cli/pinned.ts")>();
  const fetchPinned: typeof real.fetchPinned = async (url, init) => {
    if (url.hostname === "127.0.0.1") return real.fetchPinned(url, init);
    const location = moved[url.href];
    if (location === undefined) return new Response("<p>public", { headers: HTML });
    return new Response(null, { status: 301, headers: { location } });
  };
  return { ...real, fetchPinned };
});

/** A host of the private network: what it was asked, and where it redirects to. */
interface Host {
  server: Server;
  site: string;
  asked: string[];
  moved: Record<string, string>;
  bodies: Record<string, string>;
}

async function startHost(): Promise<Host> {
  const host: Host = { server: createServer(), site: "", asked: [], moved: {}, bodies: {} };
  host.server.on("request", (request, response) => {
    const path = request.url!;
    host.asked.push(path);
    const location = host.moved[path];
    response.setHeader("content-type", path === "/robots.txt" ? "text/plain" : "text/html");
    if (location !== undefined) response.writeHead(302, { location });
    response.end(host.bodies[path] ?? "<p>text");
  });
  await new Promise<void>((done) => host.server.listen(0, "127.0.0.1", done));
  host.site = `http://127.0.0.1:${(host.server.address() as AddressInfo).port}`;
  return host;
}

let [one, other]: Host[] = [];
let folder: string;
/** Where the public hosts' addresses redirect to. */
let moved: Record<string, string>;
beforeEach(async () => {
  [one, other] = [await startHost(), await startHost()];
  folder = mkdtempSync(join(tmpdir(), "brink-redirects-"));
  moved = {};
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  for (const { server } of [one!, other!]) {
    server.closeAllConnections();
    server.close();
  }
});

const HTML = { "content-type": "text/html" };

/** What was remarked of the last one. */
let remarks: string[];
/** The ids that an ingest of the page would store, or why not. */
async function ids(start: string, depth = 0): Promise<string[]> {
  const found: Item[] = [];
  const options = { depth, pagesMax: 100, pauseMs: 0, prefix: "" };
  remarks = [];
  for await (const item of webItems(start, options, { linksLeftOut: 0, remarks })) found.push(item);
  return found.map(({ line, fault }) => (line === null ? fault! : JSON.parse(line).id));
}

describe("from the address that was named", () => {
  it("no public host leads into a private network", async () => {
    moved["https://docs.example.com/"] = `${one!.site}/secret`;
    expect(await ids("https://docs.example.com/")).toEqual([
      `it cannot be fetched: a redirect leads to ${one!.site}/secret, ` +
        "which is in a private network: name it yourself if you mean it",
    ]);
    moved["https://docs.example.com/m/tiny.gguf"] = `${one!.site}/secret`;
    await expect(download("https://docs.example.com/m/tiny.gguf", folder, true)).rejects.toThrow(
      /in a private network/,
    );
    expect(one!.asked).toEqual([]);
  });

  it("public hosts and those of the operator's own network lead to their like", async () => {
    moved["https://docs.example.com/"] = "https://www.example.com/a";
    expect(await ids("https://docs.example.com/")).toEqual(["https://www.example.com/a"]);
    one!.moved["/"] = `${other!.site}/page`;
    other!.moved["/page"] = "/end";
    expect(await ids(`${one!.site}/`)).toEqual([`${other!.site}/end`]);
    expect(await ids(`${other!.site}/page`)).toEqual([`${other!.site}/end`]);
  });

  it("a private network is told by name, by address and by what a name resolves to", async () => {
    const leads = async (from: string, to: string) =>
      (await leadsInward(new URL(from), new URL(to))) !== null;
    const docs = "https://docs.example.com/";
    const inward = [
      ...["http://127.0.0.1/", "http://2130706433/", "http://[::1]/", "http://[::ffff:10.0.0.1]/"],
      ...["http://169.254.169.254/latest", "http://intranet/", "http://metadata.google.internal/"],
      ...["https://wiki.example.com/", "https://mixed.example.com/"],
    ];
    for (const to of inward) expect(await leads(docs, to), to).toBe(true);
    for (const to of [
      "https://www.example.com/",
      "http://docs.example.com:8080/",
      "http://1.1.1.1",
    ])
      expect(await leads(docs, to), to).toBe(false);
    for (const from of ["http://localhost/", "https://wiki.example.com/", "http://192.168.0.1/"])
      expect(await leads(from, "http://intranet/"), from).toBe(false);
    expect(await leads("https://mixed.example.com/", "http://intranet/")).toBe(true);
    await expect(leads(docs, "https://nowhere.example.com/")).rejects.toThrow(/ENOTFOUND/);
  });

  it("redirects without end, and to what is no page's address, are told", async () => {
    one!.moved["/loop"] = "/loop";
    expect(await ids(`${one!.site}/loop`)).toEqual([
      `it cannot be fetched: more than ${CLI_REDIRECTS_MAX} redirects`,
    ]);
    expect(one!.asked).toHaveLength(CLI_REDIRECTS_MAX + 1);
    one!.moved["/data"] = "data:text/html,x";
    expect(await ids(`${one!.site}/data`)).toEqual([
      "it cannot be fetched: a redirect leads to data:text/html,x, " +
        "which is no http or https address",
    ]);
  });
});

describe("from what others named", () => {
  it("a linked page leads to its own origin alone, and nothing is sent to another", async () => {
    one!.bodies["/"] = '<a href="/away">x</a><a href="/moved">x</a>';
    one!.moved["/away"] = `${other!.site}/secret`;
    one!.moved["/moved"] = "/target";
    expect(await ids(`${one!.site}/`, 1)).toEqual([`${one!.site}/`, `${one!.site}/target`]);
    expect(other!.asked).toEqual([]);
  });

  it("robots.txt is of its own origin, else no link is followed", async () => {
    one!.bodies["/"] = '<a href="/a">x</a><a href="/b">x</a>';
    one!.moved["/robots.txt"] = "/rules";
    one!.bodies["/rules"] = "User-agent: *\nDisallow: /a\n";
    expect(await ids(`${one!.site}/`, 1)).toEqual([`${one!.site}/`, `${one!.site}/b`]);
    one!.moved["/robots.txt"] = `${other!.site}/robots.txt`;
    expect(remarks).toEqual([]);
    expect(await ids(`${one!.site}/`, 1)).toEqual([`${one!.site}/`]);
    expect(other!.asked).toEqual([]);
    expect(remarks).toEqual([
      `${one!.site}/: no links were followed: ${one!.site}/robots.txt: a redirect leads to ` +
        `${other!.site}/robots.txt, which is another origin`,
    ]);
  });

  it("a page that was named and is elsewhere has no links followed, which is told", async () => {
    one!.moved["/"] = `${other!.site}/page`;
    one!.moved["/robots.txt"] = `${other!.site}/robots.txt`;
    other!.bodies["/page"] = '<a href="/a">x</a>';
    expect(await ids(`${one!.site}/`, 1)).toEqual([`${other!.site}/page`]);
    expect(other!.asked).toEqual(["/page"]);
    expect(remarks).toEqual([
      `${one!.site}/: it leads to ${other!.site}/page: name that to follow its links`,
    ]);
    await ids(`${one!.site}/`);
    expect(remarks).toEqual([]); // where links were not asked for
  });

  it("a checkpoint's index names files of its own folder alone", async () => {
    const { host } = new URL(other!.site);
    one!.bodies["/m/model.safetensors.index.json"] = JSON.stringify({
      weight_map: { a: `\\\\${host}\\evil.safetensors` },
    });
    const url = `${one!.site}/m/model.safetensors.index.json`;
    await expect(runCommand(modelsAdd, [url], { cache: folder, json: true })).rejects.toThrow(
      /the index names a file elsewhere/,
    );
    expect(other!.asked).toEqual([]);
  });
});
