/** What every client's suite talks to: the built Worker, with a scripted backend behind it and a
 *  namespace with one document. */
import { type OpenAiServer, startOpenAiServer } from "../support/openai-server.ts";
import { fill, startTestService, type TestService } from "../support/running-service.ts";

export interface Served {
  service: TestService;
  backend: OpenAiServer;
  stop(): Promise<void>;
}

export const FERRY = "The ferry to the island leaves at 07:40 and 16:10 daily.";
export const ASK = "When does the ferry to the island leave?";
export const MEMORY = { namespace: "notes" };

export async function serve(): Promise<Served> {
  const backend = await startOpenAiServer();
  const service = await startTestService({ BACKEND_URL: backend.url, BACKEND_MODEL: "big-model" });
  await fill(service, MEMORY.namespace, [{ id: "ferry", title: "Ferry", text: FERRY }]);
  const stop = async () => {
    await service.stop();
    await backend.close();
  };
  return { service, backend, stop };
}

/** A step that answers slowly and for long, for a client that leaves. */
export function endlessStep() {
  const choice = { index: 0, delta: { content: "on and " }, finish_reason: null };
  const event = `data: ${JSON.stringify({ choices: [choice] })}\n\n`;
  return { chunks: Array.from({ length: 400 }, () => event), ending: "hang" as const, pauseMs: 25 };
}

/** Waits for what is about to become true; false after 10 s. */
export async function becomes(holds: () => boolean): Promise<boolean> {
  const endMs = Date.now() + 10_000;
  while (!holds() && Date.now() < endMs) await new Promise((done) => setTimeout(done, 20));
  return holds();
}
