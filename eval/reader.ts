/** F1 and exact match of the reader: given the gold paragraph, and in the open setting. */
import { withService } from "./client.ts";
import { loadModels } from "./models.ts";
import { askAll } from "./open.ts";
import { bootstrapMean, type EvalOptions, type EvalReport, showProgress } from "./report.ts";
import { exactMatch, f1Score, type Question, readSquad } from "./squad.ts";

const NAMESPACE = "eval-reader";

export async function evaluateReader(options: EvalOptions): Promise<EvalReport> {
  const all = readSquad(options.data);
  const questions = all.slice(0, options.limit);
  const figures: EvalReport["figures"] = {};
  if (options.setting !== "open") Object.assign(figures, await readGold(questions));
  if (options.setting !== "gold") Object.assign(figures, await readOpen(options, questions, all));
  return { what: "reader", data: options.data, questions: questions.length, figures };
}

/** The real kernels and the shipped models, in this process. `best span` is the reader's best
 *  guess; `as served` and `model edge` count its abstentions as the answer "none". */
async function readGold(questions: readonly Question[]): Promise<EvalReport["figures"]> {
  const { reader } = await loadModels();
  const guesses: (string | null)[] = [];
  const served: (string | null)[] = [];
  for (const { question, context } of questions) {
    const choice = reader.choose(reader.read(question, [context]));
    const guess = choice === null ? null : context.slice(choice.start, choice.end);
    guesses.push(guess);
    served.push(choice === null || choice.abstain ? null : guess);
    showProgress("gold", guesses.length, questions.length);
  }
  const mean = (score: typeof f1Score, said: (string | null)[]) =>
    bootstrapMean(questions.map(({ answers }, i) => score(said[i]!, answers)));
  const abstained = served.filter((answer) => answer === null).length;
  return {
    "gold paragraph, best span: F1": mean(f1Score, guesses),
    "gold paragraph, best span: EM": mean(exactMatch, guesses),
    "gold paragraph, as served: F1": mean(f1Score, served),
    "gold paragraph, as served: EM": mean(exactMatch, served),
    "gold paragraph: abstained, share": abstained / questions.length,
    "unanswerable questions": questions.filter(({ answers }) => answers.length === 0).length,
  };
}

async function readOpen(
  options: EvalOptions,
  questions: readonly Question[],
  all: readonly Question[],
): Promise<EvalReport["figures"]> {
  const answers = await withService(options.url, (client) =>
    askAll(client, NAMESPACE, questions, all),
  );
  const abstained = answers.filter(({ answer }) => answer === null).length;
  const ms = answers.map((answer) => answer.ms).sort((a, b) => a - b);
  const guesses = (score: typeof f1Score) =>
    bootstrapMean(answers.map(({ guess, question }) => score(guess, question.answers)));
  return {
    "open, best span: F1": guesses(f1Score),
    "open, best span: EM": guesses(exactMatch),
    "open, model edge: F1": bootstrapMean(answers.map(({ f1 }) => f1)),
    "open, model edge: EM": bootstrapMean(answers.map(({ exact }) => exact)),
    "open: abstained, share": abstained / answers.length,
    "open: ms per question, median": ms[ms.length >> 1]!,
  };
}
