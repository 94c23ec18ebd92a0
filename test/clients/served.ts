/** What every client's suite talks to: the built Worker, with a scripted backend behind it and a
 *  namespace with one document. */
import { fill } from "../support/running-service.ts";
import { type Backed, startWithBackend } from "../support/service-with-backend.ts";

export const FERRY = "The ferry to the island leaves at 07:40 and 16:10 daily.";
export const ASK = "When does the ferry to the island leave?";
export const MEMORY = { namespace: "notes" };

export async function serve(): Promise<Backed> {
  const served = await startWithBackend();
  await fill(served.service, MEMORY.namespace, [{ id: "ferry", title: "Ferry", text: FERRY }]);
  return served;
}

/** A step that answers slowly and for long, for a client that leaves. */
export function endlessStep() {
  const choice = { index: 0, delta: { content: "on and " }, finish_reason: null };
  const event = `data: ${JSON.stringify({ choices: [choice] })}\n\n`;
  return { chunks: Array.from({ length: 400 }, () => event), ending: "hang" as const, pauseMs: 25 };
}
