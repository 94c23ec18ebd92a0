/** What the edge answers to labelled questions, and whether it is right: asked of the running
 *  service, or taken from the outcomes that it recorded. */
import { WRONG_BELOW_F1 } from "../eval/scores.ts";
import { f1Score } from "../eval/squad.ts";
import { READER_ID } from "../src/engine/reader.ts";
import { kindOf } from "../src/router/features-question.ts";
import { type Client, ReplyError } from "./client.ts";
import { CommandError, type CommandOption, countOf, type Values } from "./command.ts";
import { CLI_ASK_DEFAULT, CLI_ASK_MAX } from "./limits.ts";
import { startProgress } from "./progress.ts";
import type { LabelledData, LabelledQuestion } from "./router-data.ts";
import { type RecordedOutcome, readOutcomes } from "./router-outcomes.ts";

/** One labelled question with what the edge made of it. */
export interface Judged {
  source: string;
  question: string;
  /** Of questions that are held out together. */
  group: string;
  /** As the service's features tell it: `who`, `how many`; else `other`. */
  kind: string;
  /** Null: the edge abstained, which is no answer. */
  answer: string | null;
  /** Answers that would have done; null where the answer itself was judged. */
  expected: string[] | null;
  /** Of the answer; an abstention is neither right nor wrong, and false here. */
  wrong: boolean;
  /** As served, 0..1; 1 where the edge abstained. */
  difficulty: number;
  /** Null where the service tells none. */
  features: Record<string, number> | null;
}

export const ASK_OPTIONS: Record<string, CommandOption> = {
  "in-flight": {
    type: "string",
    value: "N",
    help: `questions asked at a time (${CLI_ASK_DEFAULT})`,
  },
};

interface ChatReply {
  brink: {
    answer: string | null;
    difficulty: number | null;
    features?: Record<string, number>;
    citations: { document_id: string }[];
  };
}

/** Asks the reader every question, in the file's order; those of which an answer was judged are
 *  looked up. Throws CommandError where the service is not what it must be. */
export async function judgeAll(
  client: Client,
  data: LabelledData,
  values: Values,
): Promise<Judged[]> {
  const inFlight = countOf(values, "in-flight", CLI_ASK_DEFAULT, 1, CLI_ASK_MAX);
  const silent = values.json === true;
  const recorded = await lookUp(client, data.questions);
  const show = (total: number) => `${total} questions`;
  const progress = startProgress("ask", data.questions.length, silent, show);
  const judged = new Array<Judged | null>(data.questions.length).fill(null);
  let [next, done] = [0, 0];
  let failed = false;
  const work = async () => {
    while (next < data.questions.length && !failed) {
      const i = next++;
      const asked = data.questions[i]!;
      judged[i] = "right" in asked.label ? fromOutcome(asked, recorded) : await ask(client, asked);
      progress.update(++done);
    }
  };
  try {
    await Promise.all(
      Array.from({ length: inFlight }, () =>
        work().catch((error: unknown) => {
          failed = true; // the others stop after their question
          throw error;
        }),
      ),
    );
  } finally {
    progress.end();
  }
  return judged.filter((one) => one !== null);
}

/** By its own name the reader answers even where a note would answer for the edge, and without the
 *  cache no like question's answer is taken for this one's. */
const NO_CACHE = { "x-brink-cache": "off" };

async function ask(client: Client, asked: LabelledQuestion): Promise<Judged> {
  const { source, question, namespace, label } = asked;
  const body = {
    model: READER_ID,
    messages: [{ role: "user", content: question }],
    ...(namespace === null ? {} : { memory: { namespace } }),
    explain: true,
  };
  let reply: ChatReply;
  try {
    const path = "/v1/chat/completions";
    reply = (await client.callAgain("POST", path, body, NO_CACHE)) as ChatReply;
  } catch (error) {
    if (!(error instanceof ReplyError)) throw error;
    const remedy =
      error.code === "namespace_not_found"
        ? ": npx brink ingest fills it, --namespace names it"
        : "";
    throw new ReplyError(`${source}: ${error.message}${remedy}`, error.status, error.code);
  }
  const { answer, difficulty, features, citations } = reply.brink;
  if (difficulty === null)
    throw new CommandError(`${source}: no memory was looked into: name it with --namespace NS`);
  const expected = "answers" in label ? label.answers : null;
  return {
    source,
    question,
    group: asked.group ?? citations[0]?.document_id ?? question,
    kind: kindOf(question),
    answer,
    expected,
    wrong: answer !== null && f1Score(answer, expected ?? []) < WRONG_BELOW_F1,
    difficulty: answer === null ? 1 : difficulty,
    features: features ?? null,
  };
}

/** The recorded outcomes of the calls that were judged, by trace id, of those that the reader was
 *  asked and that the weights in use scored: by others a difficulty means something else. */
async function lookUp(
  client: Client,
  questions: readonly LabelledQuestion[],
): Promise<Map<string, RecordedOutcome>> {
  const wanted = new Set(
    questions.flatMap(({ label }) => ("right" in label ? [label.trace_id] : [])),
  );
  if (wanted.size === 0) return new Map();
  const state = (await client.callAgain("GET", "/admin/router")) as { weights_version: string };
  const { weights_version } = state;
  const outcomes = await readOutcomes(client, {});
  const found = outcomes.filter(({ trace_id }) => wanted.has(trace_id));
  const asked = found.filter(({ difficulty }) => difficulty !== null);
  const scored = asked.filter((outcome) => outcome.weights_version === weights_version);
  const tell = (count: number, why: string) => {
    if (count > 0)
      console.error(`${count} of ${wanted.size} judged calls ${why}, and are left out`);
  };
  tell(
    wanted.size - found.length,
    `are no longer among the service's ${outcomes.length} recorded outcomes`,
  );
  tell(found.length - asked.length, "were answered without asking the edge");
  tell(asked.length - scored.length, `were scored by other weights than ${weights_version}`);
  return new Map(scored.map((outcome) => [outcome.trace_id, outcome]));
}

function fromOutcome(
  { source, group, label }: LabelledQuestion,
  recorded: ReadonlyMap<string, RecordedOutcome>,
): Judged | null {
  const { right, trace_id } = label as { right: boolean; trace_id: string };
  const outcome = recorded.get(trace_id);
  if (outcome === undefined) return null;
  const judged = judgeOutcome(outcome, !right);
  return { ...judged, source, group: group ?? judged.group };
}

/** A recorded outcome whose edge answer is known to be wrong, or right. */
export function judgeOutcome(outcome: RecordedOutcome, wrong: boolean): Judged {
  const { trace_id, question, edge_answer, difficulty, features, passages } = outcome;
  return {
    source: trace_id,
    question,
    group: passages[0]?.document_id ?? question,
    kind: kindOf(question),
    answer: edge_answer,
    expected: null,
    wrong: edge_answer !== null && wrong,
    difficulty: edge_answer === null ? 1 : (difficulty ?? 1),
    features,
  };
}
