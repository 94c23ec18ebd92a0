/** Calls of a service's admin endpoints. */
import { CommandError, type Values } from "./command.ts";

export interface Client {
  /** The reply's JSON. Throws CommandError with the service's own message and code. */
  call(method: string, path: string, body?: unknown): Promise<unknown>;
}

/** The service that the options, the environment or the local default name. */
export function connect(values: Values): Client {
  const base = String(values.url ?? process.env.BRINK_URL ?? "http://127.0.0.1:8787");
  if (!/^https?:$/.test(URL.parse(base)?.protocol ?? ""))
    throw new CommandError(`${base} is no http or https URL`);
  const key = String(values.key ?? process.env.BRINK_KEY ?? "brink-admin");
  const root = base.replace(/\/+$/, "");
  return {
    async call(method, path, body) {
      const binary = body instanceof Uint8Array;
      const response = await send(`${root}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${key}`,
          ...(body === undefined
            ? {}
            : { "content-type": binary ? "application/octet-stream" : "application/json" }),
        },
        body: body === undefined ? undefined : binary ? (body as BodyInit) : JSON.stringify(body),
      });
      const text = await response.text();
      if (response.ok) return JSON.parse(text);
      throw new CommandError(describe(response.status, text));
    },
  };
}

async function send(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const fact = cause instanceof Error ? cause.message || cause.name : String(cause);
    throw new CommandError(`${new URL(url).origin} cannot be reached (${fact}): is it running?`);
  }
}

function describe(status: number, text: string): string {
  try {
    const { error } = JSON.parse(text) as { error: { message: string; code: string } };
    return `${error.message} (${error.code})`;
  } catch {
    return `the service answered ${status}: ${text.slice(0, 200)}`;
  }
}
