/** The cells of the backend's rows: each is one question, put in one way, to a backend of its own
 *  that does what its row says, by a key of its own, whose budget and use are looked at after. */
import { type OpenAiServer, startOpenAiServer } from "../../support/openai-server.ts";
import {
  ACCESSES,
  type Access,
  BACKEND_ROWS,
  type BackendRow,
  DEADLINE_MS,
  type Mode,
  type Paid,
  REPLIES,
  type Reply,
} from "./backend-rows.ts";
import { type Cell, differences, EMPTY, type FaultClient, type Got } from "./cell.ts";
import type { Plan } from "./worker.ts";

/** Retries are six at most; the last step of a row goes on. */
const STEPS_MAX = 32;
/** USD per million tokens. */
const PRICE = { price_input_per_mtok: 1, price_output_per_mtok: 2 };
/** What the scripted backend says that an answer used, times the price. */
const TOLD_USD = (11 * PRICE.price_input_per_mtok + 7 * PRICE.price_output_per_mtok) / 1e6;
const PATHS: Record<Access, string> = {
  backend: "/v1/chat/completions",
  auto: "/v1/chat/completions",
  responses: "/v1/responses",
};
const CIRCUITS = ["closed", "half open", "open"];

export function backendCells(): Cell[] {
  let i = 0;
  return BACKEND_ROWS.flatMap((row) =>
    (["whole", "stream"] as const).flatMap((mode) =>
      ACCESSES.map((access) => {
        const name = `backend ${row.name} / ${mode} / ${access}`;
        const backend = `b${i++}`; // the isolate judges backends by their names
        const slow = row.slow?.includes(mode) ?? false;
        return {
          ...{
            name,
            group: `backend, ${mode}, by ${access}`,
            slow,
            // An isolate knows so many backends' circuits, and each cell has a backend of its own:
            // one that takes several questions would be forgotten for others in between.
            alone: row.before !== undefined,
            fault: row.name !== "answers",
          },
          run: (client: FaultClient) => run(client, { row, mode, access, backend }),
        };
      }),
    ),
  );
}

interface Question {
  row: BackendRow;
  mode: Mode;
  access: Access;
  backend: string;
}

/** What is not as it must be; and later what was recorded is looked at. */
async function run(client: FaultClient, question: Question): Promise<Got> {
  const { row, mode, access, backend: name } = question;
  const backend = await startOpenAiServer();
  try {
    const expected = row.expected[mode];
    const steps = row[mode];
    backend.script(...steps, ...Array<(typeof steps)[0]>(STEPS_MAX).fill(steps.at(-1)!));
    const plan = planFor(name, backend);
    const key = await client.makeKey({ budget_usd: 1, default_namespace: EMPTY });
    for (let i = 0; i < (row.before ?? 0); i++)
      await client.ask({
        plan,
        key: key.text,
        path: PATHS.backend,
        body: bodyOf("backend", `${i}`),
      });
    const body = { ...bodyOf(access, name), stream: mode === "stream" };
    const reply = await client.ask({ plan, key: key.text, path: PATHS[access], body });
    const circuit = /^brink_backend_circuit\{[^}]*\} (\d)$/m.exec(await client.metrics(plan))?.[1];
    const whole = mode === "whole";
    const wanted = REPLIES[expected.outcome][access];
    const told: Reply = { ...wanted, ending: endingOf(wanted, whole) };
    return {
      faults: [
        ...differences(told, reply),
        ...differences(
          { asked: expected.asked, circuit: expected.circuit },
          { asked: backend.requests.length, circuit: CIRCUITS[Number(circuit)] },
        ),
      ],
      later: async () => {
        const { spent, held, requests } = await client.usage(key.id);
        const paid = { paid: paidOf(spent), held: 0, requests: 1 + (row.before ?? 0) };
        return differences(
          { ...paid, paid: expected.paid },
          { paid: paidOf(spent), held, requests },
        );
      },
    };
  } finally {
    await backend.close();
  }
}

/** Of a whole reply there is none; a stream that began ends as it should, unless it broke. */
function endingOf({ status, ending }: Reply, whole: boolean): Reply["ending"] {
  if (whole || status !== 200) return null;
  return ending ?? "whole";
}

function paidOf(usd: number): Paid {
  if (usd === 0) return "nothing";
  return Math.abs(usd - TOLD_USD) < 1e-12 ? "told" : "guessed";
}

function planFor(name: string, { url }: OpenAiServer): Plan {
  const backend = { name, url, model: "big-model", deadline_ms: DEADLINE_MS, ...PRICE };
  return { variables: { BACKENDS: JSON.stringify([backend]) } };
}

/** A question that nothing in the memory answers, and that nobody asked before. */
function bodyOf(access: Access, id: string): object {
  const question = `What must the harbour master of pier ${id} weigh, and why?`;
  const model = access === "auto" ? "auto" : "backend";
  if (access === "responses") return { model, input: question };
  return { model, messages: [{ role: "user", content: question }] };
}
