/** The console: what its pure parts compute, how it calls the service, and that its files obey the
 *  policy they are served under. A browser is not needed for any of it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

const folder = join(import.meta.dirname, "../../console");
const names = readdirSync(folder);
const read = (name: string) => readFileSync(join(folder, name), "utf8");
const scripts = names.filter((name) => name.endsWith(".js"));
const page = read("index.html");

/** The console is JavaScript, which tsc does not look into from here; one test below checks it. */
const load = (name: string) => import(new URL(`../../console/${name}`, import.meta.url).href);
const { changesOf, isNone } = await load("changes.js");
const { readEvents } = await load("sse.js");
const { memoryHash, parseRoute, searchHash, traceHash, tracesHash } = await load("routes.js");
const { bytes, clip, cutAt, logShare, passageMark, signed, usd } = await load("format.js");
const { summandsOf } = await load("arithmetic.js");
const { batchesOf, checkName, contentTypeOf, isLines, textOf } = await load("upload-parts.js");
const { metadataChange, saved, savingCall, timeOf } = await load("document-change.js");
const { call, events, namespacePath, streamChat, useKey } = await load("api.js");

/** A body that arrives in these pieces. */
function bodyOf(...pieces: (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces)
        controller.enqueue(typeof piece === "string" ? encoder.encode(piece) : piece);
      controller.close();
    },
  });
}

async function eventsOf(body: ReadableStream<Uint8Array>): Promise<string[]> {
  const all: string[] = [];
  for await (const data of readEvents(body)) all.push(data);
  return all;
}

describe("server-sent events", () => {
  it("are the same wherever the network cuts them, within a letter or a CRLF too", async () => {
    const text = 'data: {"a":"é“中"}\r\n\r\n: a comment\ndata:b\ndata: c\n\ndata: [DONE]\n\n';
    const whole = new TextEncoder().encode(text);
    const expected = ['{"a":"é“中"}', "b\nc", "[DONE]"];
    expect(await eventsOf(bodyOf(whole))).toEqual(expected);
    for (let i = 1; i < whole.length; i++)
      expect(await eventsOf(bodyOf(whole.slice(0, i), whole.slice(i)))).toEqual(expected);
  });

  it("that the end cuts off are dropped", async () => {
    expect(await eventsOf(bodyOf("data: a\n\ndata: b\n"))).toEqual(["a"]);
    expect(await eventsOf(bodyOf("data: a\n\nda"))).toEqual(["a"]);
  });
});

describe("routes", () => {
  it("carry any id and any quote there and back", () => {
    for (const text of ["a/b?c#d", "100 %", "%2F", "ü 中 &=+", "..", "quote=x", "a\nb"])
      expect(parseRoute(memoryHash("docs", "document", text, text))).toEqual({
        view: "memory",
        namespace: "docs",
        section: "document",
        id: text,
        quote: text,
        search: null,
      });
  });

  it("that name nothing show the Ask view, and a bare percent sign breaks none", () => {
    for (const hash of ["", "#", "#/", "#/ask", "#/nothing/x"])
      expect(parseRoute(hash)).toEqual({ view: "ask" });
    expect(parseRoute("#/memory/docs/document/%")).toMatchObject({ id: "%", quote: null });
    expect(parseRoute("#/memory")).toMatchObject({ namespace: null, section: "search" });
    expect(parseRoute("#/traces")).toEqual({ view: "traces", id: null, filter: null });
    expect(parseRoute(traceHash("a/b %"))).toMatchObject({ view: "traces", id: "a/b %" });
    for (const key of ["a&b %", ""]) {
      const filter = { route: "edge", status: "5xx", min_ms: "", key };
      expect(parseRoute(tracesHash(filter))).toEqual({ view: "traces", id: null, filter });
    }
    expect(tracesHash({ route: "", key: "" })).toBe("#/traces");
    const search = { query: "a&b %?#", mode: "bm25", k: "3", explain: true };
    for (const asked of [search, { ...search, explain: false }])
      expect(parseRoute(searchHash("docs", asked))).toMatchObject({ search: asked });
  });

  it("encode every step of an admin path", () => {
    expect(namespacePath("docs", "documents", "a/b?c")).toBe(
      "/admin/namespaces/docs/documents/a%2Fb%3Fc",
    );
  });
});

describe("formats", () => {
  it("a cut text is the text again when joined, and a quote that is absent cuts nothing", () => {
    expect(cutAt("one two one", "two")).toEqual(["one ", "two", " one"]);
    for (const needle of ["Two", "", null]) expect(cutAt("one two", needle)).toBeNull();
  });

  it("bars stay within 0 and 1 and bytes are counted in powers of 1024", () => {
    expect([0, 1, -1, 20, 1e9].map(logShare)).toEqual([
      0,
      expect.closeTo(0.2277, 3),
      expect.closeTo(0.2277, 3),
      1,
      1,
    ]);
    expect([0, 1023, 1024, 1_572_864].map(bytes)).toEqual(["0 B", "1023 B", "1.0 KiB", "1.5 MiB"]);
  });

  it("a clipped text ends in a whole character", () => {
    expect([2, 3, 4].map((chars) => clip("a🦩bc", chars))).toEqual(["a…", "a…", "a🦩…"]);
    expect(clip("a🦩", 3)).toBe("a🦩");
  });

  it("money has the digits that tell it from nothing, and a sign always shows", () => {
    expect([null, 0, 81, 9_999, 1_234_500].map(usd)).toEqual([
      ...["", "0", "0.000081", "0.009999", "1.2345"],
    ]);
    expect([0.5, -0.25, 0].map(signed)).toEqual(["+0.500", "−0.250", "+0.000"]);
    expect([passageMark("d#1", "d"), passageMark("x", "d")]).toEqual(["#1", "x"]);
  });
});

describe("explanations", () => {
  it("of a score are computed as stated, each summand by itself", () => {
    const convex = "0.75 * ((0.4 + 1) / (0.6 + 1)) + 0.25 * (2 / (4 - 1.5))";
    expect(summandsOf(convex).map(({ value }: { value: number }) => value)).toEqual([
      ...[expect.closeTo(0.65625, 10), expect.closeTo(0.2, 10)],
    ]);
    const ranks = summandsOf("1 / (60 + 1) + 1 / (60 + 3)");
    expect(ranks.map(({ text }: { text: string }) => text)).toEqual([
      "1 / (60 + 1)",
      "1 / (60 + 3)",
    ]);
    expect(summandsOf("-0.5")).toEqual([{ text: "-0.5", value: -0.5 }]);
    expect(summandsOf("1e-7 + 2 - 3 * 2")).toMatchObject([{ value: 1e-7 }, { value: -4 }]);
    for (const text of ["", "a + 1", "1 / 0", "(1", "1)", "1 2", "alert(1)"])
      expect(summandsOf(text), text).toBeNull();
  });
});

describe("uploads", () => {
  const partsOf = async (...pieces: (string | Uint8Array)[]) => {
    const parts = [];
    for await (const part of batchesOf(bodyOf(...pieces))) parts.push(part);
    return parts as { text: string; size: number; before: number }[];
  };

  it("are sent in parts of whole lines that are the file again", async () => {
    const lines = Array.from({ length: 450 }, (_, i) => `{"text": "line ${i} ü"}`);
    const file = `${lines.join("\n")}\n`;
    const parts = await partsOf(file.slice(0, 1_000), file.slice(1_000));
    expect(parts.map(({ text }) => text.split("\n").length)).toEqual([200, 200, 50]);
    expect(parts.map(({ before }) => before)).toEqual([0, 200, 400]);
    expect(`${parts.map(({ text }) => text).join("\n")}\n`).toBe(file);
    const sizes = parts.reduce((sum, { size }) => sum + size, 0);
    expect(sizes).toBe(Buffer.byteLength(file));
  });

  it("skip blank parts, bound a line, and need no line end at the end", async () => {
    expect(await partsOf("\n\n")).toEqual([]);
    expect(await partsOf("a\n\nb")).toEqual([{ text: "a\n\nb", size: 5, before: 0 }]);
    await expect(partsOf("x".repeat(4 * 1024 * 1024 + 1))).rejects.toThrow("4 MiB");
  });

  it("are cut within letters and line ends without harm, whatever comes with a chunk", async () => {
    const file = new TextEncoder().encode('\ufeff{"text": "ü 中"}\r\n\n{"text": "é"}');
    const whole = [{ text: '{"text": "ü 中"}\r\n\n{"text": "é"}', size: 36, before: 0 }];
    for (let i = 0; i <= file.length; i++)
      expect(await partsOf(file.slice(0, i), file.slice(i))).toEqual(whole);
  });

  it("refuse what is not UTF-8 by its name or line, and send what stands before it", async () => {
    expect(textOf(Buffer.from("\ufeffcafé"), "a.txt")).toBe("café");
    expect(() => textOf(Buffer.from("café", "latin1"), "a.txt")).toThrow("a.txt is not UTF-8");
    const parts: string[] = [];
    const read = async () => {
      const latin = Buffer.from('{"text": "é"}\n', "latin1");
      const body = bodyOf('{"text": "a"}\n{"text": "b"}\n', latin, '{"text": "c"}\n');
      for await (const { text } of batchesOf(body)) parts.push(text);
    };
    await expect(read()).rejects.toThrow("line 3 is not UTF-8. Save the file");
    expect(parts).toEqual(['{"text": "a"}\n{"text": "b"}']);
  });

  it("refuse a file by the end of its name", () => {
    for (const name of ["a.MD", "b.htm", "c.text", "d.jsonl"]) checkName(name);
    for (const name of ["a.pdf", "md", "b.md.zip"])
      expect(() => checkName(name), name).toThrow(`${name} is not taken`);
  });

  it("know a file by its name's end", () => {
    expect(["a.MD", "b.htm", "c.txt", "d"].map(contentTypeOf)).toEqual([
      ...["text/markdown", "text/html", "text/plain", "text/plain"],
    ]);
    expect(["a.ndjson", "b.jsonl", "c.json"].map(isLines)).toEqual([true, true, false]);
  });
});

describe("changes of a form", () => {
  it("are what differs from what it was filled with, and all of a new one", () => {
    const filled = { name: "a", namespaces: ["x", "y"], budget_usd: null, expires_at: 5 };
    expect(changesOf({ ...filled, namespaces: ["x", "y"] }, filled)).toEqual({});
    expect(isNone(changesOf(filled, filled))).toBe(true);
    const typed = { ...filled, name: null, namespaces: ["x"] };
    expect(changesOf(typed, { ...filled, disabled: true })).toEqual({
      ...{ name: null, namespaces: ["x"] },
    });
    expect(changesOf(typed, {})).toEqual(typed);
  });
});

describe("changes of a document", () => {
  const stored = {
    ...{ id: "d", title: "T", text: "Text.", metadata: { a: 1, b: null, c: [1] }, version: 4 },
    ...{ content_type: "text/markdown", time: 14_182_940_000, expires_at: null },
  };

  it("name only what differs, to the version that was read", () => {
    expect(savingCall(stored, { title: null })).toEqual({
      method: "PATCH",
      body: { title: null, if_version: 4 },
    });
    const metadata = metadataChange(stored.metadata, { b: null, c: [2], __proto: 1 });
    expect(metadata).toEqual({ set: { c: [2], __proto: 1 }, removed: ["a"] });
    expect(savingCall(stored, { metadata, expires_at: null }).body).toEqual({
      ...{ metadata: { a: null, c: [2], __proto: 1 }, expires_at: null, if_version: 4 },
    });
  });

  it("go as a whole document, of its kind and time, where a patch cannot say them", () => {
    const metadata = metadataChange(stored.metadata, { a: null, b: null });
    const whole = { ...stored, metadata: { a: null, b: null }, time: "1970-06-14T03:42:20.000Z" };
    const { version: if_version, ...document } = whole;
    expect(savingCall(stored, { metadata })).toEqual({
      method: "POST",
      body: { documents: [{ ...document, if_version }] },
    });
    expect(savingCall({ ...stored, version: 0 }, { title: "U" }).method).toBe("POST");
    const expires_at = "2099-01-01T00:00:00Z";
    expect(saved({ ...stored, expires_at: 5 }, { text: "New." }, 5)).toMatchObject({
      ...{ text: "New.", expires_at: 5, version: 5 },
    });
    expect(saved(stored, { expires_at }, 5).expires_at).toBe(Date.parse(expires_at));
  });

  it("carry times that no reader takes for seconds", () => {
    expect([0, -1e10, 1e11].map(timeOf)).toEqual([
      ...["1970-01-01T00:00:00.000Z", "1969-09-07T06:13:20.000Z", "1973-03-03T09:46:40.000Z"],
    ]);
    expect([4e14, -7e13, 1e17].map(timeOf)).toEqual([4e14, -7e13, 1e17]);
  });
});

describe("calls", () => {
  const fetched = vi.fn<(path: string, init: RequestInit) => Promise<Response>>();

  beforeEach(() => {
    vi.useFakeTimers();
    fetched.mockReset();
    vi.stubGlobal("fetch", fetched);
    useKey("a-key");
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  const failure = (status: number, code: string) =>
    Response.json({ error: { message: `it is ${code}`, code } }, { status });
  const stream = (...pieces: string[]) => new Response(bodyOf(...pieces));
  const chat = (texts: string[]) =>
    streamChat({ model: "auto" }, new AbortController().signal, (text: string) => texts.push(text));

  it("carry the key, and wait while the service starts", async () => {
    fetched.mockResolvedValueOnce(failure(503, "starting"));
    fetched.mockResolvedValueOnce(failure(503, "starting"));
    fetched.mockResolvedValueOnce(Response.json({ ok: true }));
    const notes: string[] = [];
    events.addEventListener("starting", (event: CustomEvent) => notes.push(event.detail));
    events.addEventListener("started", () => notes.push("started"));
    const reply = call("/v1/models");
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await reply).toEqual({ ok: true });
    expect(notes).toEqual(["it is starting", "it is starting", "started"]);
    const headers = fetched.mock.calls[0]![1].headers as Headers;
    expect(headers.get("authorization")).toBe("Bearer a-key");
  });

  it("fail with the service's code, or say that there is no service", async () => {
    fetched.mockResolvedValueOnce(failure(401, "invalid_key"));
    await expect(call("/v1/models")).rejects.toMatchObject({ code: "invalid_key", status: 401 });
    fetched.mockResolvedValueOnce(new Response("<h1>Bad gateway</h1>", { status: 502 }));
    await expect(call("/v1/models")).rejects.toMatchObject({ code: "http_502" });
    fetched.mockRejectedValueOnce(new TypeError("Failed to fetch"));
    await expect(call("/v1/models")).rejects.toMatchObject({ code: "network" });
  });

  it("are not sent with a key that no header can carry: it is one that is refused", async () => {
    useKey("“a-key”");
    await expect(call("/v1/models")).rejects.toMatchObject({ code: "invalid_key", status: 401 });
    expect(fetched).not.toHaveBeenCalled();
  });

  it("stream the text, then give the report", async () => {
    const chunk = (text: string) =>
      `data: ${JSON.stringify({ choices: [{ delta: { content: text } }] })}\n\n`;
    const last = `data: ${JSON.stringify({ choices: [], brink: { route: "edge" } })}\n\n`;
    fetched.mockResolvedValueOnce(stream(chunk("a"), chunk("b"), last, "data: [DONE]\n\n"));
    const texts: string[] = [];
    expect(await chat(texts)).toEqual({ brink: { route: "edge" }, trace: null });
    expect(texts).toEqual(["a", "b"]);
  });

  it("fail where a stream carries an error, ends early or is no JSON", async () => {
    const error = JSON.stringify({ error: { message: "gone", code: "backend_unavailable" } });
    fetched.mockResolvedValueOnce(stream(`data: ${error}\n\n`));
    await expect(chat([])).rejects.toMatchObject({ code: "backend_unavailable" });
    fetched.mockResolvedValueOnce(stream('data: {"choices": []}\n\n'));
    await expect(chat([])).rejects.toMatchObject({ code: "broken_reply" });
    fetched.mockResolvedValueOnce(stream("data: {\n\n"));
    await expect(chat([])).rejects.toMatchObject({ code: "broken_reply" });
  });
});

describe("the files", () => {
  it("hold no inline script or style and name nothing outside their folder", () => {
    expect(page).not.toMatch(/<style|\sstyle=|\son[a-z]+=|javascript:/i);
    expect(page.match(/<script\b/g)).toEqual(["<script"]);
    const links = Array.from(page.matchAll(/\b(?:src|href)="([^"#]+)/g), ([, link]) => link!);
    expect(links.filter((link) => !existsSync(join(folder, link)))).toEqual([]);
    const svgName = "http://www.w3.org/2000/svg"; // a name, which no browser fetches
    for (const name of names.filter((file) => /\.(css|js)$/.test(file)))
      expect(read(name).replace(svgName, ""), name).not.toMatch(/@import|url\(|https?:\/\//);
  });

  it("never turn text into markup, code or style attributes", () => {
    const ways = [
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment/,
      /\bsrcdoc\b|cssText|setAttribute\("style|\beval\(|new Function/,
    ];
    const parses = (name: string) => ways.some((way) => way.test(read(name)));
    expect(scripts.filter(parses)).toEqual([]);
  });

  it("let no browser cut a text that is pasted: what is too long, the service refuses", () => {
    const cut = Array.from(
      page.matchAll(/<(?:textarea|input)\b[^>]*maxlength[^>]*>/g),
      ([tag]) => tag,
    );
    const ids = cut.map((tag) => /\sid="([^"]+)"/.exec(tag)![1]);
    expect(ids).toContain("key");
    expect(
      ids.filter((id) => /^(question|search-query|add-(id|title|text|metadata))$/.test(id!)),
    ).toEqual([]);
    expect(scripts.filter((name) => read(name).includes("maxlength"))).toEqual([]);
  });

  it("ask the page only for elements that it has once", () => {
    const ids = Array.from(page.matchAll(/\sid="([^"]+)"/g), ([, id]) => id!);
    expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([]);
    const asked = scripts.flatMap((name) =>
      Array.from(read(name).matchAll(/byId\("([^"]+)"/g), ([, id]) => id!),
    );
    expect(asked.length).toBeGreaterThan(40);
    expect(asked.filter((id) => !ids.includes(id))).toEqual([]);
  });

  it("keep the types that their comments state", () => {
    const program = ts.createProgram(
      scripts.map((name) => join(folder, name)),
      {
        allowJs: true,
        checkJs: true,
        noEmit: true,
        strict: true,
        noUncheckedIndexedAccess: true,
        target: ts.ScriptTarget.ES2024,
        module: ts.ModuleKind.ESNext,
        moduleResolution: ts.ModuleResolutionKind.Bundler,
        lib: ["lib.es2024.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
        types: [],
      },
    );
    const faults = ts
      .getPreEmitDiagnostics(program)
      .map(({ messageText, file }) => `${file?.fileName}: ${JSON.stringify(messageText)}`);
    expect(faults).toEqual([]);
  });
});
