/** Whether a deployment answers: its health, then a question about a document that it is given. */
import { setTimeout as wait } from "node:timers/promises";
import { DeployError } from "./wrangler.ts";

/** A namespace of its own, with the one document that the question is about. It stays: the next
 *  deployment finds the same document, and what is printed can be asked at once. */
export const CHECK_NAMESPACE = "deployment";
export const CHECK_QUESTION = "Which flower was this deployment checked with?";
const DOCUMENT = {
  id: "check",
  title: "Deployment check",
  text: "This deployment was checked with a flower. The flower was the heliotrope.",
};
const ANSWER = /heliotrope/i;

/** A new URL, secret or version takes some seconds to be everywhere. */
const SETTLE_MS_MAX = 90_000;
const PAUSE_MS = 2_000;
const CALL_MS_MAX = 30_000;
/** What a deployment says that has not settled yet. */
const UNSETTLED = new Set([
  ...["no_keys_configured", "invalid_key", "starting"],
  ...["ledger_unavailable", "memory_busy", "shard_unavailable", "storage_unavailable"],
]);

export interface CheckOptions {
  settleMsMax?: number;
  pauseMs?: number;
}

/** Resolves once /healthz is 200. Throws DeployError. */
export async function checkHealth(url: string, options: CheckOptions = {}): Promise<void> {
  await settle(options, () => call(url, "GET", "/healthz"));
}

/** Asks a question, having stored what it is about; the answer. Throws DeployError. */
export async function checkAnswer(
  url: string,
  key: string,
  options: CheckOptions = {},
): Promise<string> {
  const space = `/admin/namespaces/${CHECK_NAMESPACE}`;
  await settle(options, () => call(url, "PUT", space, key, {}));
  await settle(options, () =>
    call(url, "POST", `${space}/documents`, key, { documents: [DOCUMENT] }),
  );
  const body = {
    model: "edge",
    messages: [{ role: "user", content: CHECK_QUESTION }],
    memory: { namespace: CHECK_NAMESPACE },
  };
  const reply = await settle(options, () => call(url, "POST", "/v1/chat/completions", key, body));
  const { content } = (reply as { choices: { message: { content: string } }[] }).choices[0]!
    .message;
  if (ANSWER.test(content)) return content.split("\n")[0]!;
  throw new DeployError(
    `the deployment answers its question wrongly: ${JSON.stringify(content.slice(0, 200))}`,
    `It is at ${url}; npx wrangler tail shows what it does.`,
  );
}

/** Makes the first key that may ask and nothing else; its text. Throws DeployError. */
export async function makeFirstKey(
  url: string,
  adminKey: string,
  options: CheckOptions = {},
): Promise<string> {
  const body = { name: "first", scopes: ["inference"], default_namespace: CHECK_NAMESPACE };
  const made = await settle(options, () => call(url, "POST", "/admin/keys", adminKey, body));
  return (made as { key: string }).key;
}

/** The call that whoever deployed can make next. */
export function curlLine(url: string, key: string | null): string {
  const body = {
    messages: [{ role: "user", content: CHECK_QUESTION }],
    memory: { namespace: CHECK_NAMESPACE },
  };
  return (
    `curl -s ${url}/v1/chat/completions -H "authorization: Bearer ${key ?? "$BRINK_KEY"}" ` +
    `-H 'content-type: application/json' -d '${JSON.stringify(body)}'`
  );
}

/** Repeats what fails for what passes by itself, within `settleMsMax`. */
async function settle(
  { settleMsMax = SETTLE_MS_MAX, pauseMs = PAUSE_MS }: CheckOptions,
  attempt: () => Promise<unknown>,
): Promise<unknown> {
  const deadlineMs = Date.now() + settleMsMax;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof CallError) || !error.passes || Date.now() + pauseMs > deadlineMs)
        throw error;
      await wait(pauseMs);
    }
  }
}

class CallError extends DeployError {
  readonly passes: boolean;

  constructor(message: string, passes: boolean) {
    super(message);
    this.passes = passes;
  }
}

async function call(
  url: string,
  method: string,
  path: string,
  key?: string,
  body?: object,
): Promise<unknown> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url + path, {
      method,
      headers: {
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(CALL_MS_MAX),
    });
    text = await response.text();
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new CallError(`${url} does not answer: ${(cause as Error).message}`, true);
  }
  const parsed = parse(text);
  if (response.ok && parsed !== null) return parsed;
  const { code, message } = parsed?.error ?? {};
  const said = message === undefined ? text.slice(0, 200) : `${message} (${code})`;
  // Before its address is everywhere, the platform answers in the deployment's place.
  const platform = response.status >= 500 || response.status === 404;
  const passes = code ? UNSETTLED.has(code) : platform;
  throw new CallError(`${method} ${url}${path} answers ${response.status}: ${said}`, passes);
}

function parse(text: string): { error?: { code?: string; message?: string } } | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
