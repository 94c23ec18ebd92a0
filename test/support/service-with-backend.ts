/** The built Worker with a scripted backend, `backend:big-model`. */
import { type OpenAiServer, startOpenAiServer } from "./openai-server.ts";
import { startTestService, type TestService } from "./running-service.ts";

export interface Backed {
  service: TestService;
  backend: OpenAiServer;
  /** Ends both. */
  stop(): Promise<void>;
}

/** With these variables besides. */
export async function startWithBackend(variables: Record<string, string> = {}): Promise<Backed> {
  const backend = await startOpenAiServer();
  const named = { BACKEND_URL: backend.url, BACKEND_MODEL: "big-model" };
  try {
    const service = await startTestService({ ...named, ...variables });
    const stop = async () => {
      await service.stop();
      await backend.close();
    };
    return { service, backend, stop };
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/** Waits for what is about to become true; false after 10 s. */
export async function becomes(holds: () => boolean): Promise<boolean> {
  const endMs = Date.now() + 10_000;
  while (!holds() && Date.now() < endMs) await new Promise((done) => setTimeout(done, 20));
  return holds();
}
