/** The built Worker under the local runtime, with state of its own, for one test file. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import {
  LOCAL_ADMIN_KEY,
  LOCAL_KEY,
  type RunningService,
  startService,
} from "../../scripts/service.ts";

export interface TestService {
  url: string;
  inspectorUrl: string;
  openai: OpenAI;
  /** A call with the admin key, or with `key`; the reply's JSON is not checked. */
  call(method: string, path: string, body?: unknown, key?: string): Promise<Reply>;
  /** Ends the runtime and starts it again on the same state. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface Reply {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests read replies of every shape
  body: any;
}

export const START_MS_MAX = 180_000;

/** Starts it; `stop` also removes the state. `prepare` fills the state's folder before. The
 *  namespace `docs` is empty unless BRINK_PRELOAD says `docs`: embedding Brink's documentation
 *  takes longer than most tests. */
export async function startTestService(
  given: Record<string, string> = {},
  { onnx, prepare }: { onnx?: boolean; prepare?: (state: string) => Promise<void> } = {},
): Promise<TestService> {
  const state = mkdtempSync(join(tmpdir(), "brink-test-"));
  await prepare?.(state);
  const variables = { BRINK_PRELOAD: "none", ...given };
  let running: RunningService = await startService({ state, variables, onnx });
  const service: TestService = {
    url: running.url,
    inspectorUrl: running.inspectorUrl,
    openai: connect(running.url),
    async call(method, path, body, key = LOCAL_ADMIN_KEY) {
      const response = await fetch(service.url + path, {
        method,
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      const text = await response.text();
      const body_ = text === "" ? null : JSON.parse(text);
      return { status: response.status, headers: response.headers, body: body_ };
    },
    async restart() {
      await running.stop();
      running = await startService({ state, variables, onnx });
      Object.assign(service, {
        url: running.url,
        inspectorUrl: running.inspectorUrl,
        openai: connect(running.url),
      });
    },
    async stop() {
      await running.stop();
      rmSync(state, { recursive: true, force: true });
    },
  };
  return service;
}

function connect(url: string): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: LOCAL_KEY, maxRetries: 0 });
}

/** Adds a namespace with documents, and throws when one is refused. */
export async function fill(
  service: TestService,
  namespace: string,
  documents: { id: string; text: string; title?: string; metadata?: object }[],
): Promise<void> {
  await service.call("PUT", `/admin/namespaces/${namespace}`, {});
  const path = `/admin/namespaces/${namespace}/documents`;
  const { status, body } = await service.call("POST", path, { documents });
  if (status !== 200 || body.errors.length > 0) throw new Error(JSON.stringify(body));
}

/** The official client's chat call with Brink's own fields, which its types do not know. */
// biome-ignore lint/suspicious/noExplicitAny: tests read replies of every shape
export function chat(service: TestService, body: object): any {
  const create = service.openai.chat.completions.create.bind(service.openai.chat.completions);
  return create(body as Parameters<typeof create>[0]);
}
