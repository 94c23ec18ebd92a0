/** Bodies that succeed, by operation, which schemas alone seldom give; the fuzzer varies them. */
const user = { role: "user", content: "When does the ferry leave?" };
const image = { type: "image_url", image_url: { url: "data:image/png;base64,AA==" } };
const schema = { type: "object", properties: { day: { type: "string" } } };
const noon = { name: "noon", description: "When noon is.", parameters: schema };

export const EXAMPLES: Record<string, readonly object[]> = {
  "POST /v1/chat/completions": [
    { messages: [user] },
    { messages: [user], model: "edge", stream: true, stream_options: { include_usage: true } },
    { messages: [{ role: "system", content: "Be brief." }, user], model: "backend" },
    { messages: [user], model: "backend", stream: true, memory: false },
    { messages: [user], tools: [{ type: "function", function: noon }] },
    { messages: [{ role: "user", content: [{ type: "text", text: "What is this?" }, image] }] },
    {
      messages: [user],
      response_format: { type: "json_schema", json_schema: { name: "day", schema } },
    },
  ],
  "POST /v1/responses": [
    { input: "When does the ferry leave?" },
    { input: [user], model: "edge", stream: true },
    { input: [user], instructions: "Be brief.", model: "backend", stream: true },
    { input: "And noon?", tools: [{ type: "function", ...noon }], memory: false },
    { input: "On which day?", text: { format: { type: "json_schema", name: "day", schema } } },
  ],
  "POST /v1/embeddings": [{ input: "the tide" }, { input: ["a", "b"], encoding_format: "base64" }],
  "POST /v1/rerank": [{ query: "ferry", documents: ["It leaves at noon.", { text: "No." }] }],
  "POST /v1/memory/search": [
    { query: "ferry" },
    { query: "ferry", mode: "bm25", explain: true, filter: { n: { gte: 1 } } },
    { query: "ferry at noon", rerank: true, diversity: {}, neighbours: 1 },
  ],
  "POST /v1/memory/remember": [
    { conversation: "call", turns: [{ speaker: "Ana", text: "The heron is back." }] },
  ],
  "PUT /admin/namespaces/{ns}": [{}, { shards: 2 }, { fusion: "rrf", k1: 1.2 }],
  "POST /admin/namespaces/{ns}/documents": [
    { documents: [{ id: "d1", text: "The ferry leaves at noon.", metadata: { n: 1 } }] },
    { documents: [{ text: "# Tides\n\nLow at nine.", content_type: "text/markdown" }] },
  ],
  "PATCH /admin/namespaces/{ns}/documents/{id}": [{ title: "Ferry" }, { metadata: { n: 2 } }],
  "POST /admin/namespaces/{ns}/documents/delete": [{ filter: { n: { gt: 3 } } }],
  "POST /admin/namespaces/{ns}/jobs": [{ name: "load" }],
  "POST /admin/namespaces/{ns}/split": [{ shard: 0 }],
  "PUT /admin/namespaces/{ns}/note-policy": [{ policy: "agreed" }],
  "POST /admin/keys": [{ name: "a key" }, { namespaces: ["docs"], default_namespace: "docs" }],
  "POST /admin/models/{name}/uploads": [{ bytes: 32, sha256: "0a".repeat(32) }],
  "PUT /admin/router": [{ target: { max_risk: 0.3 } }],
};

/** A line of NDJSON, where an operation takes that. */
export const EXAMPLE_LINE = { id: "d2", text: "The lighthouse keeper is called Ines." };
