/** A running service for an evaluation, and the few calls that evaluations make. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exitOnSignals, LOCAL_ADMIN_KEY, LOCAL_KEY, startService } from "../scripts/service.ts";
import { showProgress } from "./report.ts";

const root = join(import.meta.dirname, "..");
const DOCUMENTS_PER_CALL = 32;
const TEXTS_PER_CALL = 32;

export interface Client {
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
}

export interface SubmittedDocument {
  id: string;
  text: string;
  title?: string;
  /** Base64 of little-endian f32. */
  embedding?: string;
}

/** Runs `work` against the service at `url`, or against a fresh one of its own that is ended,
 *  and its state removed, afterwards. */
export async function withService<T>(
  url: string | null,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  if (url !== null) return work(connect(url));
  execFileSync(process.execPath, [join(root, "scripts/build.ts"), "--quiet"], { stdio: "inherit" });
  exitOnSignals();
  const state = mkdtempSync(join(tmpdir(), "brink-eval-"));
  try {
    const service = await startService({ state, variables: { BRINK_PRELOAD: "none" } });
    try {
      return await work(connect(service.url));
    } finally {
      await service.stop();
    }
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
}

function connect(url: string): Client {
  return {
    async call<T>(method: string, path: string, body?: unknown): Promise<T> {
      const key = path.startsWith("/admin") ? LOCAL_ADMIN_KEY : LOCAL_KEY;
      const response = await fetch(url + path, {
        method,
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return (text === "" ? null : JSON.parse(text)) as T;
    },
  };
}

/** Makes the namespace, empty, and fills it. Throws when a document is refused. */
export async function fillNamespace(
  client: Client,
  namespace: string,
  options: Record<string, unknown>,
  documents: readonly SubmittedDocument[],
): Promise<void> {
  const { namespaces } = await client.call<{ namespaces: { name: string }[] }>(
    "GET",
    "/admin/namespaces",
  );
  if (namespaces.some(({ name }) => name === namespace))
    await client.call("DELETE", `/admin/namespaces/${namespace}`);
  await client.call("PUT", `/admin/namespaces/${namespace}`, options);
  for (let i = 0; i < documents.length; i += DOCUMENTS_PER_CALL) {
    const batch = documents.slice(i, i + DOCUMENTS_PER_CALL);
    const path = `/admin/namespaces/${namespace}/documents`;
    const { errors } = await client.call<{ errors: unknown[] }>("POST", path, { documents: batch });
    if (errors.length > 0) throw new Error(`refused: ${JSON.stringify(errors[0])}`);
    showProgress("documents", i + batch.length, documents.length);
  }
}

/** The embeddings of texts by the running service, each as base64 of little-endian f32. */
export async function embedAll(
  client: Client,
  label: string,
  texts: readonly string[],
): Promise<string[]> {
  const embeddings: string[] = [];
  for (let i = 0; i < texts.length; i += TEXTS_PER_CALL) {
    const input = texts.slice(i, i + TEXTS_PER_CALL);
    const { data } = await client.call<{ data: { embedding: string }[] }>(
      "POST",
      "/v1/embeddings",
      { input, encoding_format: "base64" },
    );
    embeddings.push(...data.map(({ embedding }) => embedding));
    showProgress(`embedding ${label}`, embeddings.length, texts.length);
  }
  return embeddings;
}

export function fromBase64(text: string): Float32Array {
  const bytes = Buffer.from(text, "base64");
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}
