/** The built Worker without a backend, called as its users call it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  chat,
  fill,
  START_MS_MAX,
  startTestService,
  type TestService,
} from "../support/running-service.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService({ BRINK_PRELOAD: "docs" });
  await fill(service, "handbook", HANDBOOK);
}, START_MS_MAX);
afterAll(() => service?.stop());

const HANDBOOK = [
  {
    id: "leave",
    title: "Leave",
    text: "Every member of staff has 28 days of paid leave a year. Unused days lapse on 31 March.",
    metadata: { area: "people", year: 2026 },
  },
  {
    id: "founding",
    title: "History",
    text: "The company was founded in 1987 by Maria Lindqvist in Gothenburg. It moved to Oslo.",
    metadata: { area: "company", year: 2020 },
  },
  {
    id: "doors",
    title: "Building",
    text: "The front door is locked at 19:30. After that, use the entrance on Harbour Street.",
    metadata: { area: "building", year: 2026 },
  },
];

function ask(question: string, memory: unknown = { namespace: "handbook" }, rest: object = {}) {
  const messages = [{ role: "user" as const, content: question }];
  return chat(service, {
    model: "edge",
    messages,
    memory,
    ...rest,
  });
}

describe("answers", () => {
  it("an easy question is answered from the memory, with its evidence word for word", async () => {
    const reply = await ask("Who founded the company?");
    expect(reply.brink).toMatchObject({ route: "edge", engine: "brink-reader" });
    expect(reply.brink.answer).toContain("Lindqvist");
    expect(reply.brink.difficulty).toBeGreaterThanOrEqual(0);
    expect(reply.brink.difficulty).toBeLessThanOrEqual(1);
    const [citation] = reply.brink.citations;
    expect(citation.document_id).toBe("founding");
    const source = HANDBOOK.find(({ id }) => id === "founding")!;
    expect(source.text).toContain(citation.quote);
    expect(citation.quote).toContain(reply.brink.answer);
    expect(reply.choices[0].message.content).toContain(citation.quote);
    expect(reply.usage.total_tokens).toBeGreaterThan(20);
  });

  it("a streamed answer is the whole one in pieces, with brink on the last choice", async () => {
    const question = "How many days of paid leave does staff have?";
    const whole = await ask(question);
    const stream = await ask(
      question,
      { namespace: "handbook" },
      {
        stream: true,
        stream_options: { include_usage: true },
      },
    );
    let text = "";
    // biome-ignore lint/suspicious/noExplicitAny: `brink` is not in the client's types
    const chunks: any[] = [];
    for await (const chunk of stream) {
      chunks.push(chunk);
      text += chunk.choices[0]?.delta.content ?? "";
    }
    expect(text).toBe(whole.choices[0].message.content);
    expect(chunks.at(-1).usage).toEqual(whole.usage);
    expect(chunks.at(-2).brink.answer).toBe(whole.brink.answer);
    expect(chunks.at(-2).choices[0].finish_reason).toBe("stop");
  });

  it("without a backend, what auto would hand on says so, and names the reason", async () => {
    const { data, response } = await ask(
      "Which football team won the championship in 1954?",
      { namespace: "handbook" },
      { model: "auto" },
    ).withResponse();
    expect(data.brink).toMatchObject({ route: "edge", wanted: "backend" });
    expect(data.brink.reason).toContain("no backend is configured");
    expect(response.headers.get("x-brink-route")).toBe("edge");
    expect(Number(response.headers.get("x-brink-difficulty"))).toBeGreaterThan(0.3);
  });

  it("with an empty memory the edge says that it knows nothing", async () => {
    await service.call("PUT", "/admin/namespaces/empty", {});
    const reply = await ask("Who founded the company?", { namespace: "empty" });
    expect(reply.brink).toMatchObject({ answer: null, difficulty: 1, citations: [] });
  });

  it("explain shows the features, and contributions that sum to the logit", async () => {
    const explained = { model: "auto", explain: true };
    const memory = { namespace: "handbook" };
    const { brink } = await ask("Who founded the company?", memory, explained);
    expect(brink.features).toMatchObject({
      form_fits: 1,
      asks_time: 0,
      coverage: expect.any(Number),
    });
    const parts: number[] = Object.values(brink.contributions);
    const logit = parts.reduce((sum, part) => sum + part, 0);
    expect(brink.difficulty).toBeCloseTo(1 / (1 + Math.exp(-logit)), 9);
    const names = Object.keys(brink.contributions).sort();
    expect(names).toEqual(["bias", ...Object.keys(brink.features)].sort());
    expect(brink.reason).toMatch(/^difficulty [\d.]+ [<>]=? -?[\d.]+ \((harder|easier) by /);
    const stream = await ask("Who founded the company?", memory, { ...explained, stream: true });
    // biome-ignore lint/suspicious/noExplicitAny: `brink` is not in the client's types
    const chunks: any[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.at(-1).brink.contributions).toEqual(brink.contributions);
  });

  it("explain shows the best span also where the reader turned it down", async () => {
    const explained = { model: "edge", explain: true };
    const found = await ask("Who founded the company?", { namespace: "handbook" }, explained);
    const { best_span, answer } = found.brink;
    expect(best_span).toMatchObject({ text: answer, turned_down: false });
    const none = await ask("How deep is the Mariana Trench?", { namespace: "handbook" }, explained);
    expect(none.brink).toMatchObject({ answer: null, best_span: { turned_down: true } });
    expect(none.brink.best_span.score).toBeLessThan(best_span.score);
  });

  it("what only a backend could do is refused, with the reason", async () => {
    const tools = [{ type: "function", function: { name: "f", parameters: {} } }];
    const refused = ask("Who founded the company?", { namespace: "handbook" }, { tools });
    await expect(refused).rejects.toMatchObject({ status: 400, code: "unsupported_parameter" });
    const named = ask("Who founded the company?", { namespace: "handbook" }, { model: "backend" });
    await expect(named).rejects.toMatchObject({ status: 503, code: "backend_not_configured" });
  });

  it("the preloaded documentation is the local default memory", async () => {
    const reply = await ask("Where does npm start keep its state?", null);
    expect(reply.brink.citations[0].document_id).toMatch(/README|docs\//);
  });
});

describe("embeddings", () => {
  it("are of unit length, alike for like texts, and equal in both encodings", async () => {
    const input = [
      "The cat sat on the mat.",
      "A cat was sitting on a mat.",
      "Stocks fell sharply.",
    ];
    const model = "all-MiniLM-L6-v2";
    const { data } = await service.openai.embeddings.create({
      model,
      input,
      encoding_format: "float",
    });
    const [a, b, c] = data.map(({ embedding }) => embedding) as [number[], number[], number[]];
    const dot = (x: number[], y: number[]) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
    expect(dot(a, a)).toBeCloseTo(1, 5);
    expect(dot(a, b)).toBeGreaterThan(0.7);
    expect(dot(a, c)).toBeLessThan(0.3);
    const base64 = await service.openai.embeddings.create({ model, input }); // the client's default
    for (const [i, value] of base64.data[0]!.embedding.entries())
      expect(value).toBeCloseTo(a[i]!, 6);
  });
});

describe("reranking", () => {
  const query = "How many days of leave do staff have?";
  const documents = [
    "The canteen opens at noon and serves soup.",
    "Visitors park behind the building.",
    "All staff have 28 days of paid leave a year.",
    "\u200b",
  ];
  const rerank = (rest: object) =>
    service.call("POST", "/v1/rerank", { query, documents, ...rest });

  it("with no model named puts the answer first, by a model that is listed", async () => {
    const { status, body } = await rerank({});
    expect([status, body.model]).toEqual([200, "brink-reranker"]);
    const scores = body.results.map((one: { relevance_score: number }) => one.relevance_score);
    expect(body.results[0].index).toBe(2);
    expect(scores.at(-1)).toBe(0); // without a token there is nothing to read
    expect(scores[0]).toBeLessThan(1);
    const { body: named } = await rerank({ model: "brink-reranker" });
    expect(named.results).toEqual(body.results);
    const { body: listed } = await service.call("GET", "/v1/models/brink-reranker");
    expect(listed).toMatchObject({ id: "brink-reranker", kind: "reranker" });
  });

  it("orders hits, and each has the score that their texts have alone", async () => {
    const namespace = "leave";
    await fill(
      service,
      namespace,
      documents.slice(0, 3).map((text, i) => ({ id: `${i}`, text })),
    );
    const rerankBy = { model: "brink-reranker" };
    const asked = { namespace, query, k: 3, rerank: rerankBy, explain: true };
    const { hits } = (await service.call("POST", "/v1/memory/search", asked)).body;
    const { results } = (await rerank({})).body;
    expect(hits).toHaveLength(3);
    for (const [i, hit] of hits.entries()) {
      expect(hit.document_id).toBe(`${results[i].index}`);
      expect(hit.rerank_score).toBeCloseTo(results[i].relevance_score, 5);
      expect(hit.explain.rerank.model).toBe("brink-reranker");
    }
  });
});

describe("memory", () => {
  const search = (query: string, rest: object = {}) =>
    service.call("POST", "/v1/memory/search", { namespace: "handbook", query, k: 3, ...rest });

  it.each(["hybrid", "bm25", "vector"])("%s search finds the passage", async (mode) => {
    const { body } = await search("front door locked", { mode });
    expect(body.hits[0]).toMatchObject({ document_id: "doors", title: "Building" });
  });

  it("a filter leaves nothing else in, before the best are taken", async () => {
    const { body } = await search("front door locked", { k: 1, filter: { area: "people" } });
    expect(body.hits.map((hit: { document_id: string }) => hit.document_id)).toEqual(["leave"]);
  });

  it("every way of finding works together, and the explanation tells of each", async () => {
    const ways = {
      diversity: { lambda: 0.7 },
      recency: { half_life_days: 30 },
      rerank: true,
      iterative: { hops: 2 },
      neighbours: 1,
      group_by_document: true,
    };
    const { status, body } = await search("front door locked", { ...ways, explain: true });
    expect(status).toBe(200);
    const [best] = body.hits;
    expect(best).toMatchObject({ document_id: "doors", hop: 1, overlaps: [] });
    expect(best.explain).toMatchObject({
      recency: { half_life_days: 30 },
      diversity: { lambda: 0.7 },
      rerank: { rank: 1 },
    });
    expect(Object.keys(body.stages_ms)).toEqual(
      expect.arrayContaining(["embed", "candidates", "second_candidates", "rerank", "total"]),
    );
  });

  it("explained terms add up to the BM25 score", async () => {
    const { body } = await search("paid leave days", { mode: "bm25", explain: true });
    const [hit] = body.hits;
    const terms: { contribution: number }[] = hit.explain.bm25_terms;
    const sum = terms.reduce((total, { contribution }) => total + contribution, 0);
    expect(sum).toBeCloseTo(hit.score, 6);
  });

  it("documents are found at once, replaced by id, and gone when deleted", async () => {
    await fill(service, "life", [{ id: "a", text: "The heron nests by the river." }]);
    const find = async () =>
      (await service.call("POST", "/v1/memory/search", { namespace: "life", query: "heron" })).body;
    expect((await find()).hits[0].text).toBe("The heron nests by the river.");
    const path = "/admin/namespaces/life/documents";
    const put = (text: string) => service.call("POST", path, { documents: [{ id: "a", text }] });
    expect((await put("The heron nests by the river.")).body).toMatchObject({ unchanged: 1 });
    expect((await put("The heron left.")).body).toMatchObject({ upserted: 1, unchanged: 0 });
    expect((await find()).hits.map((hit: { text: string }) => hit.text)).toEqual([
      "The heron left.",
    ]);
    expect((await service.call("DELETE", `${path}/a`)).status).toBe(200);
    expect((await find()).hits).toEqual([]);
    expect((await service.call("DELETE", `${path}/a`)).body.error.code).toBe("document_not_found");
  });

  it("an export put into another namespace answers the same", async () => {
    const response = await fetch(`${service.url}/admin/namespaces/handbook/export`, {
      headers: { authorization: "Bearer brink-admin" },
    });
    const lines = await response.text();
    await service.call("PUT", "/admin/namespaces/copy", {});
    const posted = await fetch(`${service.url}/admin/namespaces/copy/documents`, {
      method: "POST",
      headers: {
        authorization: "Bearer brink-admin",
        "content-type": "application/x-ndjson",
      },
      body: lines,
    });
    expect(await posted.json()).toMatchObject({ upserted: 3, errors: [] });
    const request = { query: "Who founded the company?", k: 3 };
    const [a, b] = await Promise.all(
      ["handbook", "copy"].map((namespace) =>
        service.call("POST", "/v1/memory/search", { namespace, ...request }),
      ),
    );
    expect(b!.body.hits).toEqual(a!.body.hits);
  });

  it(
    "survives a restart",
    async () => {
      await service.restart();
      const { body } = await search("front door locked");
      expect(body.hits[0].document_id).toBe("doors");
      expect((await ask("Who founded the company?")).brink.answer).toContain("Lindqvist");
    },
    START_MS_MAX,
  );
});

describe("keys", () => {
  it("a key reaches its own namespaces only, and nothing once revoked", async () => {
    const made = await service.call("POST", "/admin/keys", {
      name: "kiosk",
      role: "inference",
      namespaces: ["handbook"],
      default_namespace: "handbook",
    });
    expect(made.status).toBe(201);
    const { key, id } = made.body;
    const look = (namespace: string) =>
      service.call("POST", "/v1/memory/search", { namespace, query: "door" }, key);
    expect((await look("handbook")).status).toBe(200);
    expect((await look("docs")).body.error.code).toBe("namespace_forbidden");
    expect((await service.call("GET", "/admin/namespaces", undefined, key)).status).toBe(403);
    const listed = await service.call("GET", "/admin/keys");
    expect(JSON.stringify(listed.body)).not.toContain(key);
    expect((await service.call("DELETE", `/admin/keys/${id}`)).status).toBe(200);
  });

  it("another tenant's key sees none of this tenant's namespaces", async () => {
    const made = await service.call("POST", "/admin/keys", { role: "admin", tenant: "other" });
    const { key } = made.body;
    expect((await service.call("GET", "/admin/namespaces", undefined, key)).body).toEqual({
      namespaces: [],
    });
    const request = { namespace: "handbook", query: "door" };
    const { status, body } = await service.call("POST", "/v1/memory/search", request, key);
    expect({ status, code: body.error.code }).toEqual({ status: 404, code: "namespace_not_found" });
  });
});
