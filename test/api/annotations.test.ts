/** The web pages that a backend's model drew on, as OpenAI tells of them. */
import { expect, it } from "vitest";
import { ChatChunk, ChatReply } from "../../src/api/schema/replies.ts";
import { ResponsesReply } from "../../src/api/schema/responses-reply.ts";
import { REPORT, startApi } from "./fake-service.ts";

const messages = [{ role: "user", content: "Why?" }];
const PAGE = { url: "https://a.example/", title: "A", start_index: 0, end_index: 3 };
const OTHER = { ...PAGE, url: "https://b.example/" };
const cited = (url_citation: object) => ({ type: "url_citation", url_citation });

function answering() {
  const api = startApi();
  api.service.pieces = async function* () {
    yield { text: "Yes", annotations: [PAGE] };
    yield { text: "", annotations: [OTHER] };
    yield { text: "", finish_reason: "stop" };
  };
  return api;
}

/** The JSON of each `data:` line but [DONE]. */
async function eventsOf(response: Response) {
  const lines = (await response.text()).matchAll(/^data: (\{.*)$/gm);
  return Array.from(lines, ([, data]) => JSON.parse(data!));
}

it("a chat has them in its message, and of a stream in the deltas that brought them", async () => {
  const { call } = answering();
  const path = "/v1/chat/completions";
  const whole = await (await call(path, { json: { messages } })).json();
  const { message } = ChatReply.strict().parse(whole).choices[0]!;
  expect(message.annotations).toEqual([cited(PAGE), cited(OTHER)]);
  const events = await eventsOf(await call(path, { json: { messages, stream: true } }));
  expect(events.map((event) => ChatChunk.strict().parse(event).choices[0]!.delta)).toEqual([
    { role: "assistant", content: "" },
    { content: "Yes" },
    { annotations: [cited(PAGE)] },
    { annotations: [cited(OTHER)] },
    {},
  ]);
});

it("a response has them behind the documents that brink cites, with an event each", async () => {
  const { call } = answering();
  const { document_id: file_id } = REPORT.citations[0]!;
  const annotations = [
    { type: "file_citation", file_id, filename: file_id, index: 0 },
    { type: "url_citation", ...PAGE },
    { type: "url_citation", ...OTHER },
  ];
  const whole = await (await call("/v1/responses", { json: { input: "Why?" } })).json();
  expect(ResponsesReply.strict().parse(whole).output).toMatchObject([
    { content: [{ annotations }] },
  ]);
  const json = { input: "Why?", stream: true };
  const events = await eventsOf(await call("/v1/responses", { json }));
  const added = events.filter(({ type }) => type.endsWith("annotation.added"));
  expect(added.map(({ annotation, annotation_index }) => [annotation_index, annotation])).toEqual(
    annotations.map((annotation, i) => [i, annotation]),
  );
  const last = ResponsesReply.strict().parse(events.at(-1).response);
  expect(last.output).toMatchObject([{ content: [{ annotations }] }]);
});
