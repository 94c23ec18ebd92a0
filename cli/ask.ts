/** `brink ask`: a question, its answer as it comes, and what it rests on. */
import { READER_ID } from "../src/engine/reader.ts";
import { SseReader } from "../src/engine/sse.ts";
import { MESSAGE_CHARS_MAX, SEARCH_K_MAX } from "../src/limits.ts";
import type { BrinkReport } from "../src/pipeline/types.ts";
import { type Client, connect, ReplyError } from "./client.ts";
import {
  type Command,
  CommandError,
  countOf,
  serviceOptions,
  UsageError,
  type Values,
} from "./command.ts";
import { CLI_EVENT_CHARS_MAX } from "./limits.ts";
import { parseObject } from "./namespaces.ts";
import { SEARCH_MODES } from "./search.ts";
import { oneLine, paint, paragraph, printable, terminalWidth } from "./table.ts";

const QUOTE_LINES = 3;
/** The process exits with it where the memory had no answer, so that a script can ask elsewhere. */
const NO_ANSWER = 3;

interface Reply {
  choices: { message: { content: string } }[];
  brink: BrinkReport;
}

interface Chunk {
  choices?: { delta?: { content?: string } }[];
  brink?: BrinkReport;
  error?: { message: string; code: string };
}

export const ask: Command = {
  name: "ask",
  args: "QUESTION|-",
  summary: "Ask a question, and show the answer as it comes.",
  description:
    "The answer goes to stdout; its citations, the route, the difficulty and the time go to\n" +
    "stderr. With - the question is read from stdin. It exits with 3 where memory has no answer.",
  options: {
    namespace: { type: "string", value: "NS", help: "the memory to look into (the key's default)" },
    "no-memory": { type: "boolean", help: "answer without looking into memory" },
    model: { type: "string", value: "MODEL", help: "auto (the default), edge, backend or a model" },
    k: { type: "string", value: "N", help: "how many passages to look at" },
    mode: {
      type: "string",
      value: "MODE",
      choices: SEARCH_MODES,
      help: "of the search: hybrid (the default), bm25 or vector",
    },
    filter: { type: "string", value: "JSON", help: 'on metadata, such as \'{"lang": "en"}\'' },
    ...serviceOptions("a key with the scope inference, or an admin key"),
  },
  async run(words, values) {
    const body = requestOf(await questionOf(words), values);
    const client = connect(values);
    if (values.json) return client.call("POST", "/v1/chat/completions", body);
    const startMs = performance.now();
    const { text, brink } = await streamAnswer(client, body);
    console.error(describe(brink, performance.now() - startMs));
    return { choices: [{ message: { content: text } }], brink };
  },
  exitCode(result) {
    const { engine, answer } = (result as Reply).brink;
    return engine === READER_ID && answer === null ? NO_ANSWER : 0;
  },
};

async function questionOf(words: string[]): Promise<string> {
  if (words.length === 0) throw new UsageError("what is the question? - reads it from stdin");
  const question = words.length === 1 && words[0] === "-" ? await readStdin() : words.join(" ");
  if (question.trim() === "") throw new UsageError("the question is empty");
  return question;
}

async function readStdin(): Promise<string> {
  process.stdin.setEncoding("utf8");
  let text = "";
  for await (const part of process.stdin) {
    text += part;
    if (text.length > MESSAGE_CHARS_MAX)
      throw new UsageError(`a question has ${MESSAGE_CHARS_MAX} characters at most`);
  }
  return text;
}

function requestOf(question: string, values: Values): object {
  const { namespace, mode, filter, model } = values;
  const retrieval = {
    ...(namespace === undefined ? {} : { namespace }),
    ...(values.k === undefined ? {} : { k: countOf(values, "k", 0, 1, SEARCH_K_MAX) }),
    ...(mode === undefined ? {} : { mode }),
    ...(filter === undefined ? {} : { filter: parseObject("filter", String(filter)) }),
  };
  const looks = Object.keys(retrieval).length > 0;
  if (values["no-memory"] && looks)
    throw new UsageError(`--no-memory goes with no --${Object.keys(retrieval)[0]}`);
  return {
    model: model ?? "auto",
    messages: [{ role: "user", content: question }],
    ...(values["no-memory"] ? { memory: false } : looks ? { memory: retrieval } : {}),
  };
}

/** Prints the text as it comes. Throws CommandError where it breaks off. */
async function streamAnswer(
  client: Client,
  body: object,
): Promise<{ text: string; brink: BrinkReport }> {
  const response = await client.stream("/v1/chat/completions", { ...body, stream: true });
  let text = "";
  let brink: BrinkReport | null = null;
  let failure: CommandError | null = null;
  let ended = false;
  try {
    for await (const event of eventsOf(response)) {
      if (event === "[DONE]") {
        ended = true;
        break;
      }
      const chunk = JSON.parse(event) as Chunk;
      if (chunk.error)
        throw new ReplyError(`${chunk.error.message} (${chunk.error.code})`, 200, chunk.error.code);
      const piece = chunk.choices?.[0]?.delta?.content ?? "";
      process.stdout.write(printable(piece));
      text += piece;
      brink = chunk.brink ?? brink;
    }
  } catch (error) {
    if (error instanceof CommandError) failure = error;
    else
      failure = new CommandError(`the answer broke off (${(error as Error).message}): ask again`);
  }
  if (text !== "" && !text.endsWith("\n")) process.stdout.write("\n");
  if (failure !== null) throw failure;
  if (!ended || brink === null) throw new CommandError("the answer broke off: ask again");
  return { text, brink };
}

async function* eventsOf(response: Response): AsyncGenerator<string> {
  const reader = new SseReader();
  let pending = 0;
  for await (const bytes of response.body!) {
    const events = reader.push(bytes);
    pending = events.length > 0 ? 0 : pending + bytes.length;
    if (pending > CLI_EVENT_CHARS_MAX)
      throw new CommandError("the service sent an event without an end");
    yield* events;
  }
  yield* reader.end();
}

/** What the answer rests on, and how it came about. */
function describe(brink: BrinkReport, ms: number): string {
  const { route, wanted, engine, difficulty, reason, citations, timings_ms } = brink;
  const style = paint(process.stderr);
  const quotes = citations.map(({ mark, title, document_id, quote }) => {
    const name = oneLine(title === null ? document_id : `${title} (${document_id})`);
    const text = paragraph(quote, terminalWidth(), "      ", QUOTE_LINES);
    return `  ${style("bold", `[${mark}]`)} ${name}\n${style("dim", text)}`;
  });
  const went = wanted === undefined ? route : `${route}, though ${wanted} was wanted`;
  const hard = difficulty === null ? "not scored" : difficulty.toFixed(3);
  const stages = Object.entries(timings_ms).map(([name, took]) => `${name} ${took.toFixed(0)}`);
  const parts = stages.length === 0 ? "" : ` (${stages.join(", ")})`;
  const facts = [
    `${style("bold", "route")}       ${oneLine(`${went}: ${engine}`)}`,
    `${style("bold", "reason")}      ${oneLine(reason)}`,
    `${style("bold", "difficulty")}  ${hard}`,
    `${style("bold", "time")}        ${ms.toFixed(0)} ms${parts}`,
  ];
  return ["", ...quotes, ...(quotes.length > 0 ? [""] : []), ...facts].join("\n");
}
