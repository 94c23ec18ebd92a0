import { expect, it } from "vitest";
import { readChunk, readCompletion } from "../../src/engine/completion.ts";
import { readCitations } from "../../src/engine/url-citations.ts";
import { ANNOTATIONS_MAX, BACKEND_TEXT_CHARS_MAX } from "../../src/limits.ts";

const PAGE = { url: "https://a.example/x", title: "A", start_index: 0, end_index: 3 };
const cited = (page: object) => ({ type: "url_citation", url_citation: page });

it("pages are read of a whole reply and of a chunk, without fields that are not OpenAI's", () => {
  const said = { content: "yes", annotations: [cited({ ...PAGE, content: "long" })] };
  const whole = readCompletion(JSON.stringify({ choices: [{ message: said }] }));
  const chunk = readChunk(JSON.stringify({ choices: [{ delta: said }] }));
  expect([whole.annotations, chunk.annotations]).toEqual([[PAGE], [PAGE]]);
  for (const annotations of [null, [], "none", {}]) {
    const none = readChunk(JSON.stringify({ choices: [{ delta: { annotations } }] }));
    expect(none).not.toHaveProperty("annotations");
  }
});

it.each<[string, unknown]>([
  ["of another type", { type: "file_citation", file_citation: {} }],
  ["that is null", null],
  ["without a page", { type: "url_citation" }],
  ["of a script", cited({ ...PAGE, url: "javascript:alert(1)" })],
  ["of an address with a space", cited({ ...PAGE, url: "https://a.example/ x" })],
  [
    "of too long an address",
    cited({ ...PAGE, url: `https://${"a".repeat(BACKEND_TEXT_CHARS_MAX)}` }),
  ],
  ["of no place", cited({ url: PAGE.url, title: "A" })],
  ["of half a place", cited({ ...PAGE, start_index: 0.5 })],
  ["of a place before the text", cited({ ...PAGE, start_index: -1 })],
  ["that ends before it begins", cited({ ...PAGE, start_index: 4 })],
])("one %s is left out, and the others stay", (_, wrong) => {
  expect(readCitations([wrong, cited(PAGE)])).toEqual([PAGE]);
});

it("a title that is missing is empty, a long one is cut, and so are too many pages", () => {
  const { title: _, ...bare } = PAGE;
  const long = "é".repeat(BACKEND_TEXT_CHARS_MAX + 1);
  const [first, second] = readCitations([cited(bare), cited({ ...PAGE, title: long })]);
  expect(first!.title).toBe("");
  expect(second!.title.length).toBe(BACKEND_TEXT_CHARS_MAX);
  const many = Array.from({ length: ANNOTATIONS_MAX + 1 }, () => cited(PAGE));
  expect(readCitations(many).length).toBe(ANNOTATIONS_MAX);
});
