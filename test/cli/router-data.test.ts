/** The operator's labelled questions, as the files of operators are. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Values } from "../../cli/command.ts";
import { CLI_LABELS_MAX } from "../../cli/limits.ts";
import { readLabelled } from "../../cli/router-data.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "brink-labels-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function read(name: string, text: string | Uint8Array, values: Values = {}) {
  const path = join(folder, name);
  writeFileSync(path, text);
  const told = vi.spyOn(console, "error").mockImplementation(() => {});
  try {
    const data = await readLabelled({ data: path, ...values });
    return { ...data, told: told.mock.calls.map(([line]) => String(line)) };
  } catch (error) {
    throw new Error([...told.mock.calls.map(([line]) => line), error].join("\n"));
  } finally {
    told.mockRestore();
  }
}

const WHEN = {
  question: "When does the lease end?",
  namespace: null,
  group: null,
  label: { answers: ["3 May", "May 3"] },
};

it("CSV and JSONL say the same", async () => {
  const csv = await read(
    "a.csv",
    "\ufeffQuestion,answers,namespace,group\r\n" +
      "When does the lease end?,3 May | May 3,,\r\n" +
      '"Who, says it?","[""the | lessor""]",docs,leases\r\n' +
      "What of it?,[],,\r\n",
    { namespace: "home" },
  );
  const lines = [
    { question: "When does the lease end?", answers: ["3 May", "May 3"] },
    { question: "Who, says it?", answer: "the | lessor", namespace: "docs", group: "leases" },
    { question: "What of it?", answers: [] },
  ].map((line) => JSON.stringify(line));
  const jsonl = await read("a.jsonl", `${lines.join("\n\n")}\n`, { namespace: "home" });
  const bare = ({ questions }: typeof csv) => questions.map(({ source: _, ...rest }) => rest);
  expect(bare(csv)).toEqual([
    { ...WHEN, namespace: "home" },
    {
      question: "Who, says it?",
      namespace: "docs",
      group: "leases",
      label: { answers: ["the | lessor"] },
    },
    { question: "What of it?", namespace: "home", group: null, label: { answers: [] } },
  ]);
  expect(bare(jsonl)).toEqual(bare(csv));
  expect(csv.questions.map(({ source }) => source)).toEqual(["a.csv:2", "a.csv:3", "a.csv:4"]);
  expect(jsonl.questions[1]!.source).toBe("a.jsonl:3");
});

it("a judgement is of one call, and yes, 1 and TRUE say the same", async () => {
  const { questions } = await read(
    "a.csv",
    "trace_id,right,question\nt1,TRUE,When?\nt2,no,\nt3,1,\n",
  );
  expect(questions.map(({ label }) => label)).toEqual([
    { right: true, trace_id: "t1" },
    { right: false, trace_id: "t2" },
    { right: true, trace_id: "t3" },
  ]);
});

it("a call is judged once, and a column is there once", async () => {
  const text = "trace_id,right\nt1,yes\n t1 ,no\nt2,constructor\n";
  const { questions, told } = await read("a.csv", text, { "skip-faulty": true });
  expect(questions.map(({ label }) => label)).toEqual([{ right: true, trace_id: "t1" }]);
  expect(told).toEqual([
    "a.csv:3: trace_id: a line above judges the same call",
    "a.csv:4: right: it is true or false",
  ]);
  const twice = read("a.csv", "question,answers,note,note,Answers\nWho?,a,x,y,b\n");
  await expect(twice).rejects.toThrow(/two columns are named answers/);
});

it("SQuAD's files are read, with their articles as groups", async () => {
  const qas = [
    { id: "q1", question: "When?", answers: [{ text: "3 May" }] },
    { id: "q2", question: "Why?", answers: [{ text: "x" }], is_impossible: true },
  ];
  const file = { data: [{ title: "Leases", paragraphs: [{ context: "It ends.", qas }] }] };
  const { questions } = await read("a.json", JSON.stringify(file));
  expect(questions).toEqual([
    {
      ...WHEN,
      source: "a.json q1",
      question: "When?",
      group: "Leases",
      label: { answers: ["3 May"] },
    },
    { ...WHEN, source: "a.json q2", question: "Why?", group: "Leases", label: { answers: [] } },
  ]);
  await expect(read("b.json", '{"data": 1}')).rejects.toThrow(/SQuAD's files are .*make it JSONL/);
});

it("lines that cannot be used are told with their numbers, and leave nothing read", async () => {
  const faulty =
    "question,answers,right,trace_id\n" +
    ",x,,\n" +
    'Who?,"",,\n' +
    "Who?,|,,\n" +
    "Who?,,perhaps,t\n" +
    "Who?,,true,\n" +
    "Who?,a,,,\n" +
    'Who?,"a"b,,\n' +
    "Who?,a,,\n";
  const message = [
    "a.csv:2: question: it needs a text",
    "a.csv:3: answers: it needs a list of texts ([] where the memory has no answer), or right",
    "a.csv:4: answers: it needs a list of texts ([] where the memory has no answer), or right",
    "a.csv:5: right: it is true or false",
    "a.csv:6: trace_id: right needs the call that was judged",
    "a.csv:7: it has 5 fields, the header 4",
    "a.csv:8: text follows a closing quote: quotes within a field are doubled",
  ];
  const said = await read("a.csv", faulty).catch((error: Error) => error.message.split("\n"));
  expect(said).toEqual([...message, expect.stringMatching(/7 lines of .*with --skip-faulty/)]);
  const { questions, refused, told } = await read("a.csv", faulty, { "skip-faulty": true });
  expect([questions.length, refused, told]).toEqual([1, 7, message]);
});

it("of many faulty lines the first are told, the rest counted", async () => {
  const text = `{"question": "Who?", "answer": "a"}\n${"[1]\n".repeat(50)}{"question": 1}\nx\n`;
  const { refused, told } = await read("a.jsonl", text, { "skip-faulty": true });
  expect([refused, told.length, told[0]]).toEqual([52, 20, "a.jsonl:2: it is no JSON object"]);
});

it("what no line could be used of is told at once", async () => {
  await expect(read("a.csv", "prompt,answers\nWho?,a\n")).rejects.toThrow(
    /names the columns, question and answers .* names "prompt", "answers"/,
  );
  await expect(read("a.csv", "question,answers\n")).rejects.toThrow(/no labelled questions/);
  await expect(read("a.txt", "Who?")).rejects.toThrow(/name it .csv, .jsonl or .json/);
  const latin = new Uint8Array([...Buffer.from("question,answers\nWho?,"), 0xe9, 10]);
  await expect(read("a.csv", latin)).rejects.toThrow(
    /a\.csv:2 is not UTF-8: save the file as "CSV UTF-8"/,
  );
  await expect(read("a.csv", Buffer.from("\ufeffquestion", "utf16le"))).rejects.toThrow(
    "a.csv:1 is not UTF-8",
  );
  await expect(readLabelled({})).rejects.toThrow(/--data FILE/);
  await expect(readLabelled({ data: join(folder, "none.csv") })).rejects.toThrow(/is no file/);
});

it("a file of a line of a million characters, or of too many questions, is bounded", async () => {
  const long = `question,answers\n"${"x".repeat(1_000_000)}\nWho?,a\n`;
  const { questions, told } = await read("a.csv", long, { "skip-faulty": true });
  expect(questions.map(({ source }) => source)).toEqual(["a.csv:3"]);
  expect(told[0]).toMatch(/a.csv:2: it has more than 200000 characters: is a quote left open/);
  const many = `question,answers\n${"Who?,a\n".repeat(CLI_LABELS_MAX + 1)}`;
  await expect(read("a.csv", many)).rejects.toThrow(/more than 20000 questions: take a sample/);
});
