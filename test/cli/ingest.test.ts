/** Ingesting files into a service over HTTP that breaks off, is busy, and refuses documents. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Values } from "../../cli/command.ts";
import { type IngestResult, ingest } from "../../cli/ingest.ts";
import { fileItems, findFiles } from "../../cli/ingest-files.ts";
import type { Item } from "../../cli/ingest-item.ts";
import { brink, runBrink } from "../support/brink-cli.ts";
import { FakeBrink } from "./fake-brink.ts";
import { runCommand } from "./said.ts";

let folder: string;
let service: FakeBrink;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "brink-ingest-"));
  service = await new FakeBrink().start();
});
afterEach(() => {
  service.stop();
  rmSync(folder, { recursive: true, force: true });
});

function write(files: Record<string, string | Uint8Array>): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}

async function run(names: string[], values: Values = {}) {
  const paths = names.map((name) => (name.startsWith("http") ? name : join(folder, name)));
  const options = { namespace: "docs", create: true, url: service.url, ...values };
  const { result, ...printed } = await runCommand(ingest, paths, options);
  return { result: result as IngestResult, ...printed };
}

const stored = () => Object.fromEntries(service.namespaces.get("docs")!);
const lines = (n: number, text = "text") =>
  Array.from({ length: n }, (_, i) => `${JSON.stringify({ id: `d${i}`, text: `${text} ${i}` })}\n`);

describe("a folder", () => {
  it("gives a document a file, by its path, with type and title", async () => {
    write({
      "docs/b.md": "---\ntags: x\n---\n# The *lease*\n\nIt ends.\n",
      "docs/sub/a.html": "<title>Page</title><p>Text",
      "docs/c.txt": "\ufeffPlain.\n",
      "docs/z.jsonl": '{"id": "own", "text": "t", "metadata": {"a": 1}}\n',
      "docs/list.json": '[{"id": "one", "text": "1"}, {"id": "two", "text": "2"}]',
      "docs/wrapped.json": '{"documents": [{"id": "three", "text": "3"}]}',
    });
    const { result, out } = await run(["docs"]);
    expect(result).toMatchObject({ upserted: 7, unchanged: 0, error_count: 0, namespace: "docs" });
    expect(out).toBe("docs: 7 stored (7 passages), 0 unchanged, 0 refused");
    expect(stored()).toMatchObject({
      "b.md": {
        title: "The lease",
        text: "---\ntags: x\n---\n# The *lease*\n\nIt ends.\n",
        content_type: "text/markdown",
        metadata: { path: "b.md" },
      },
      "sub/a.html": { text: "<title>Page</title><p>Text", content_type: "text/html" },
      "c.txt": { text: "Plain.\n" },
      own: { text: "t", metadata: { a: 1 } },
      one: { text: "1" },
      three: { text: "3" },
    });
    expect(stored()["c.txt"]).not.toHaveProperty("content_type");
    expect(stored()["sub/a.html"]).not.toHaveProperty("title");
  });

  it("has titles and a job's name cut to whole characters, as the service wants", async () => {
    const names = ["a", "b", "c"].map((before) => `${before}${"😀".repeat(55)}.md`);
    write(Object.fromEntries(names.map((name) => [name, `# a${"😀".repeat(300)}\n\nText.\n`])));
    await run(names);
    for (const name of names) expect(stored()[name]!.title).toBe(`a${"😀".repeat(99)}`);
    const [job] = [...service.jobs.values()];
    expect(job!.name).toMatch(/😀 [0-9a-f]{16}$/u);
  });

  it("is read without hidden files, node_modules, links and files of other kinds", async () => {
    write({
      "d/a.txt": "a",
      "d/.hidden.txt": "no",
      "d/.git/x.txt": "no",
      "d/node_modules/p/readme.md": "no",
      "d/image.png": "no",
      "outside.txt": "no",
    });
    symlinkSync(join(folder, "outside.txt"), join(folder, "d/link.txt"));
    symlinkSync(folder, join(folder, "d/loop"));
    const { said } = await run(["d"]);
    expect(Object.keys(stored())).toEqual(["a.txt"]);
    expect(said).toContain("1 files of other kinds were left out");
  });

  it("with nothing to read, and paths that are not there, are errors", async () => {
    write({ "d/image.png": "x", "strange.bin": "x" });
    await expect(run(["d"])).rejects.toThrow(/nothing that can be read/);
    await expect(run(["missing"])).rejects.toThrow(/missing does not exist/);
    await expect(run(["strange.bin"])).rejects.toThrow(/say with --type text, markdown/);
    expect(service.calls).toEqual([]);
    expect((await run(["strange.bin"], { type: "text" })).result.upserted).toBe(1);
  });

  it("whose files would have one id is refused unless a prefix parts them", async () => {
    write({ "a/x.md": "# A", "b/x.md": "# B" });
    await expect(run(["a", "b"])).rejects.toThrow(/would both have the id x.md.*--prefix/);
    await run(["a"], { prefix: "a/" });
    await run(["b"], { prefix: "b/" });
    expect(Object.keys(stored())).toEqual(["a/x.md", "b/x.md"]);
  });
});

describe("errors", () => {
  it("name file and line, and hold up no other document", async () => {
    write({
      "bad.ndjson": '{"text": "a"}\n\nno json\r\n{"text": ""}\n{"text": "b"}',
      "empty.md": " \n",
      "latin.txt": Uint8Array.of(0x61, 0xe9),
      "list.json": '[{"text": "c"}, {"text": ""}]',
      "broken.json": "[",
    });
    const { result, said } = await run([
      "bad.ndjson",
      "empty.md",
      "latin.txt",
      "list.json",
      "broken.json",
    ]);
    expect(result).toMatchObject({ upserted: 3, error_count: 6 });
    expect(result.errors.map(({ source, code }) => [source, code]).sort()).toEqual([
      ["bad.ndjson:3", "invalid_json"],
      ["bad.ndjson:4", "invalid_request"],
      ["broken.json", null],
      ["empty.md", null],
      ["latin.txt", null],
      ["list.json: document 1", "invalid_request"],
    ]);
    expect(said).toContain("bad.ndjson:4: text: may not be empty (invalid_request)");
    expect(said).toContain("latin.txt: it is not UTF-8");
  });

  it("set the exit status to 1, and JSON tells them", async () => {
    write({ "bad.ndjson": '{"text": "a"}\n{"text": ""}\n' });
    const args = ["ingest", join(folder, "bad.ndjson"), "--namespace", "docs", "--create"];
    await expect(brink(service.url, ...args)).rejects.toThrow(
      /bad.ndjson:2: text: may not be empty/,
    );
    write({ "good.ndjson": '{"text": "b"}\n' });
    args[1] = join(folder, "good.ndjson");
    expect(JSON.parse(await brink(service.url, ...args, "--json"))).toMatchObject({
      upserted: 1,
      error_count: 0,
      errors: [],
    });
  });

  it("of the namespace, the key and the options say what to do", async () => {
    write({ "a.txt": "a" });
    await expect(run(["a.txt"], { create: false })).rejects.toThrow(/--create makes it/);
    await expect(run(["a.txt"], { key: "wrong" })).rejects.toThrow(/the key is unknown/);
    await expect(run(["a.txt"], { namespace: undefined })).rejects.toThrow(/--namespace NS/);
    await expect(run([])).rejects.toThrow(/name a file, a folder or a URL/);
    await expect(run(["a.txt"], { type: "pdf" })).rejects.toThrow(
      /--type is one of text, markdown/,
    );
    await expect(run(["a.txt"], { depth: "x" })).rejects.toThrow(/--depth is a number from 0/);
    const empty = ingest.run([""], { namespace: "docs", url: service.url });
    await expect(empty).rejects.toThrow(/the name of a file, a folder or a URL is empty/);
  });

  it("of a file that cannot be read are one refusal, and of a folder the end", async () => {
    // Permissions would not hold for root, who may run this.
    write({ "d/a.ndjson": '{"id": "a", "text": "a"}\n', "d/gone.ndjson": "{}\n", "d/z.txt": "z" });
    const found = await findFiles(join(folder, "d"), null);
    rmSync(join(folder, "d/gone.ndjson"));
    const items: Item[] = [];
    for (const file of found.files) for await (const item of fileItems(file, "")) items.push(item);
    expect(items.map(({ fault }) => fault)).toEqual([null, expect.stringMatching(/^ENOENT/), null]);
    const path = join(folder, "d/z.txt/below");
    await expect(findFiles(path, null)).rejects.toThrow(`${path} cannot be read: ENOTDIR`);
  });

  it("of the service keep its code", async () => {
    write({ "a.txt": "a" });
    const args = ["ingest", join(folder, "a.txt"), "--namespace", "none", "--json"];
    const { code, out } = await runBrink(args, { BRINK_URL: service.url });
    expect([code, JSON.parse(out).error.code]).toEqual([1, "namespace_not_found"]);
  });
});

describe("a job", () => {
  it("is sent in parts, in order, whatever their number", async () => {
    write({ "many.ndjson": lines(2_500).join("") });
    const { result } = await run(["many.ndjson"]);
    expect(result).toMatchObject({ upserted: 2_500, error_count: 0 });
    expect(service.calls.filter((call) => call.includes("/lines"))).toEqual(
      [0, 1_000, 2_000].map((from) => `POST /admin/namespaces/docs/jobs/job-1/lines?from=${from}`),
    );
    expect(service.jobs.get("job-1")!.state).toBe("finished");
  });

  it("sends a part again after trouble, and nothing counts twice", async () => {
    write({ "many.ndjson": [...lines(1_500), "bad\n"].join("") });
    service.trouble = ["lost", "busy"];
    const { result, said } = await run(["many.ndjson"]);
    expect(result).toMatchObject({ upserted: 1_500, error_count: 1 });
    expect(said.match(/^.*trying again$/gm)).toEqual([expect.stringContaining("(memory_busy)")]);
    expect(result.errors[0]!.source).toBe("many.ndjson:1501");
    expect(service.calls.filter((call) => call.includes("/lines"))).toHaveLength(4);
  });

  it("that broke off goes on where it was, and not with other files", async () => {
    write({ "many.ndjson": lines(3_000).join(""), "other.ndjson": lines(5, "other").join("") });
    const lost = `POST /admin/namespaces/docs/jobs/job-1/lines?from=1000`;
    const error = { message: "not now", code: "conflict", type: "x", param: null };
    service.canned.set(lost, [{ status: 409, body: { error } }]);
    await expect(run(["many.ndjson"])).rejects.toThrow(/not now/);
    expect(service.jobs.get("job-1")).toMatchObject({ lines: 1_000, state: "open" });
    await run(["other.ndjson"]);
    expect(service.jobs.get("job-2")).toMatchObject({ lines: 5, state: "finished" });
    service.calls.length = 0;
    const { result, said } = await run(["many.ndjson"]);
    expect(said).toContain("going on with job job-1: 1000 documents were taken");
    expect(result).toMatchObject({ job: "job-1", upserted: 3_000 });
    expect(service.calls.filter((call) => call.includes("/lines"))).toHaveLength(2);
  });

  it("is begun anew for files that have changed, and on request", async () => {
    write({ "many.ndjson": lines(1_200).join("") });
    const error = { message: "not now", code: "conflict", type: "x", param: null };
    const lost = (job: string) => `POST /admin/namespaces/docs/jobs/${job}/lines?from=1000`;
    service.canned.set(lost("job-1"), [{ status: 409, body: { error } }]);
    await expect(run(["many.ndjson"])).rejects.toThrow();
    const { result } = await run(["many.ndjson"], { restart: true });
    expect(result).toMatchObject({ job: "job-2", upserted: 200, unchanged: 1_000 });
    write({ "many.ndjson": lines(1_201).join("") });
    expect((await run(["many.ndjson"])).result.job).toBe("job-3");
  });

  it("that is named goes on, unless it is finished or of more than there is", async () => {
    write({ "many.ndjson": lines(20).join("") });
    await run(["many.ndjson"]);
    await expect(run(["many.ndjson"], { resume: "job-1" })).rejects.toThrow(/is finished/);
    await expect(run(["many.ndjson"], { resume: "job-9" })).rejects.toThrow(/no such job/);
    const job = { ...service.jobs.get("job-1")!, id: "job-7", state: "open" as const };
    service.jobs.set("job-7", { ...job, lines: 15 });
    expect((await run(["many.ndjson"], { resume: "job-7" })).result.job).toBe("job-7");
    service.jobs.set("job-8", { ...job, id: "job-8", lines: 25 });
    await expect(run(["many.ndjson"], { resume: "job-8" })).rejects.toThrow(/it is of other files/);
  });

  it("again with the same files stores nothing", async () => {
    write({ "many.ndjson": lines(30).join("") });
    await run(["many.ndjson"]);
    expect((await run(["many.ndjson"])).result).toMatchObject({ upserted: 0, unchanged: 30 });
  });
});
