/** Reads OpenAI-shaped completions, which come from outside and may hold anything. */
import { utf8Length } from "../../index/bytes.ts";
import { cutText } from "../../index/cut.ts";
import { TOP_LOGPROBS_MAX } from "../limits.ts";
import { BackendFailure } from "./backend-failure.ts";
import type { EnginePiece, TokenLogprob, Usage } from "./engine.ts";
import { readCitations } from "./url-citations.ts";

const MESSAGE_CHARS_SHOWN = 300;

export type Fields = Record<string, unknown>;

const asItIs = (body: Fields) => body;

/** How a reply is read. */
export interface Reading {
  /** Makes OpenAI's shape of another's. */
  translate?: (body: Fields) => Fields;
  /** How many of the likeliest tokens each place may have; where absent, no log probabilities are
   *  read: some backends send them unasked. */
  topLogprobs?: number;
}

/** What the caller's parameters ask of the log probabilities. */
export function topLogprobsOf(parameters: Fields): Pick<Reading, "topLogprobs"> {
  const { logprobs, top_logprobs: top } = parameters;
  if (logprobs !== true) return {};
  return { topLogprobs: Math.min(count(top), TOP_LOGPROBS_MAX) };
}

/** A piece, and of what Brink does not hand on (reasoning) the bytes, since they are paid for. */
type ReadPiece = EnginePiece & { hidden: number };

/** A whole reply as one piece. Throws `backend_unavailable` where it is no completion. */
export function readCompletion(text: string, reading: Reading = {}): ReadPiece {
  const { translate = asItIs, topLogprobs } = reading;
  const body = translate(parseObject(text, "the reply"));
  const choice = firstChoice(body);
  const message = fields(choice?.message);
  if (message === null && isError(body)) throw failing("the reply is an error", body);
  if (choice === null || message === null) throw broken("the reply has no choices[0].message");
  const toolCalls = callsOf(message).map((call, index) => ({ ...call, index }));
  const piece = {
    ...textPart(message),
    ...annotationsPart(message),
    ...(toolCalls.length > 0 ? { tool_calls: toolCalls } : {}),
    finish_reason: string(choice.finish_reason) || "stop",
    ...usagePart(body),
    hidden: hiddenBytes(message),
  };
  return { ...piece, ...logprobsPart(choice, piece, topLogprobs) };
}

/** One event of a stream as a piece, empty where it only has what Brink does not hand on (a role,
 *  reasoning). Throws `backend_unavailable` for an error event and for anything that is not a
 *  chunk. */
export function readChunk(text: string, reading: Reading = {}): ReadPiece {
  const { translate = asItIs, topLogprobs } = reading;
  const body = translate(parseObject(text, "a part of the stream"));
  if (isError(body)) throw failing("the stream broke off", body);
  const choice = firstChoice(body);
  const delta = fields(choice?.delta) ?? {};
  const toolCalls = callsOf(delta);
  const finish = string(choice?.finish_reason);
  const piece = {
    ...textPart(delta),
    ...annotationsPart(delta),
    ...(toolCalls.length > 0 ? { tool_calls: toolCalls } : {}),
    ...(finish === "" ? {} : { finish_reason: finish }),
    ...usagePart(body),
    hidden: hiddenBytes(delta),
  };
  return topLogprobs === undefined
    ? piece
    : { ...piece, ...logprobsPart(choice, piece, topLogprobs) };
}

/** A message's calls, or of a stream parts of them. Some servers give a call's arguments as the
 *  object that they are, which is made the text that clients append to. Throws
 *  `backend_unavailable` for what would be no call to them. */
function callsOf(message: Fields): Fields[] {
  return list(message.tool_calls).map((value) => {
    const call = fields(value);
    const { index = null, id = null, function: named } = call ?? {};
    const { name = null, arguments: given = null } = fields(named) ?? {};
    const place = index === null || (Number.isSafeInteger(index) && (index as number) >= 0);
    const texts = [id, name].every((text) => text === null || typeof text === "string");
    if (call === null || !place || !texts) throw broken("a tool call is not what OpenAI's is");
    if (given === null || typeof given === "string") return call;
    return { ...call, function: { ...fields(named), arguments: JSON.stringify(given) } };
  });
}

/** A refusal beside content, which no model gives, is a part of it. */
function textPart(message: Fields): Pick<EnginePiece, "text" | "refusal"> {
  const content = textOf(message.content);
  const refusal = string(message.refusal);
  const refused = content === "" && refusal !== "";
  return { text: content + refusal, ...(refused ? { refusal: true } : {}) };
}

function annotationsPart({ annotations: told }: Fields): Pick<EnginePiece, "annotations"> {
  const annotations = told == null ? [] : readCitations(told);
  return annotations.length === 0 ? {} : { annotations };
}

/** OpenAI's `choices[0].logprobs`, of the tokens of the text. Without text they may be of a
 *  character's first half; beside reasoning or calls alone they are of what is no text. */
function logprobsPart(
  choice: Fields | null,
  { text, tool_calls, hidden }: ReadPiece,
  top: number | undefined,
): { logprobs?: TokenLogprob[] } {
  const told = top === undefined ? null : fields(choice?.logprobs);
  if (told === null || (text === "" && (hidden > 0 || tool_calls !== undefined))) return {};
  const tokens = [...list(told.content), ...list(told.refusal)];
  if (tokens.length === 0) return {};
  return {
    logprobs: tokens.map((token) => {
      const likeliest = list(fields(token)?.top_logprobs).slice(0, top);
      return { ...readToken(token), top_logprobs: likeliest.map(readToken) };
    }),
  };
}

/** Throws `backend_unavailable` for what JSON could not hand on as a token. */
function readToken(value: unknown): Omit<TokenLogprob, "top_logprobs"> {
  const { token, logprob, bytes } = fields(value) ?? {};
  const known = bytes == null || (Array.isArray(bytes) && bytes.every(isByte));
  if (typeof token !== "string" || !Number.isFinite(logprob) || !known)
    throw broken("a log probability is not what OpenAI's is");
  return { token, logprob: logprob as number, bytes: (bytes ?? null) as number[] | null };
}

function isByte(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 255;
}

/** Providers name reasoning differently, some send it under two names, and some as a list. */
function hiddenBytes(message: Fields): number {
  let most = 0; // no lists: each chunk of a stream comes by here
  for (const name in message) {
    if (SHOWN.has(name)) continue;
    const value = message[name];
    const text = Array.isArray(value) ? JSON.stringify(value) : string(value);
    most = Math.max(most, utf8Length(text));
  }
  return most;
}

/** Fields of a message that are handed on, or that no model wrote. */
const SHOWN = new Set(["content", "refusal", "role", "tool_calls", "annotations"]);

/** What an error body says, on one line and cut: OpenAI's `error.message`, else its text. */
export function readErrorMessage(text: string): string {
  let said = text;
  try {
    said = describeError(JSON.parse(text)) || text;
  } catch {
    // Not JSON: the text itself is the message.
  }
  const line = said.replace(/\s+/g, " ").trim();
  return line.length > MESSAGE_CHARS_SHOWN ? `${cutText(line, MESSAGE_CHARS_SHOWN)}...` : line;
}

/** OpenAI's `error.code` of an error body; empty where there is none. */
export function readErrorCode(text: string): string {
  try {
    return string(fields(fields(JSON.parse(text))?.error)?.code);
  } catch {
    return "";
  }
}

function describeError(body: unknown): string {
  const error = fields(body)?.error;
  const said = string(error) || string(fields(error)?.message) || string(fields(body)?.message);
  return cutText(said, MESSAGE_CHARS_SHOWN);
}

/** A backend that answered, but not with what it should have. */
export function broken(fact: string): BackendFailure {
  return new BackendFailure("failed", `the backend failed: ${fact}`);
}

/** One that answered with an error. What it says of that is the caller's: it may quote the prompt,
 *  and no log has it. */
function failing(fact: string, body: Fields): BackendFailure {
  const logged = `the backend failed: ${fact}`;
  const said = describeError(body);
  return new BackendFailure("failed", said === "" ? logged : `${logged}: ${said}`, { logged });
}

function parseObject(text: string, what: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw broken(`${what} is not JSON`); // the parser's own error quotes the text
  }
  const object = fields(value);
  if (object === null) throw broken(`${what} is not a JSON object`);
  return object;
}

/** OpenAI's `error`, or what some servers send in its place: `message` and no choices. */
function isError({ error, choices, message }: Fields): boolean {
  return error != null || (choices === undefined && string(message) !== "");
}

function firstChoice(body: Fields): Fields | null {
  return fields(list(body.choices)[0]);
}

/** Nothing where it is not told in full: what was used is then guessed, and is not free. */
function usagePart(body: Fields): { usage?: Usage } {
  const usage = fields(body.usage);
  if (usage === null) return {};
  const { prompt_tokens, completion_tokens } = usage;
  if (!isCount(prompt_tokens) || !isCount(completion_tokens)) return {};
  // A prompt has a token at least: who counts none at all has not counted.
  if (prompt_tokens + completion_tokens === 0) return {};
  const total_tokens = count(usage.total_tokens) || prompt_tokens + completion_tokens;
  const details = fields(usage.prompt_tokens_details);
  const cached = details === null ? {} : { cached_tokens: count(details.cached_tokens) };
  const thought = fields(usage.completion_tokens_details)?.reasoning_tokens;
  const reasoning = thought == null ? {} : { reasoning_tokens: count(thought) };
  return { usage: { prompt_tokens, completion_tokens, total_tokens, ...cached, ...reasoning } };
}

function fields(value: unknown): Fields | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : null;
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Text, or a list of parts of which some are. */
function textOf(content: unknown): string {
  if (!Array.isArray(content)) return string(content);
  const texts = content.map(fields).filter((part) => part?.type === "text");
  return texts.map((part) => string(part!.text)).join("");
}

function string(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function count(value: unknown): number {
  return isCount(value) ? value : 0;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
