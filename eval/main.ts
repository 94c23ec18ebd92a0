/** `npm run eval -- WHAT --data PATH`: quality on labelled data. */
import { existsSync, writeFileSync } from "node:fs";
import { endWrongUse, readNumber, readProgram } from "../scripts/program.ts";
import { evaluateCache } from "./cache.ts";
import { evaluateCodes } from "./codes.ts";
import { evaluateEncoder } from "./encoder.ts";
import { evaluateLearning } from "./learning.ts";
import { evaluateNotes } from "./notes.ts";
import { evaluateReader } from "./reader.ts";
import type { EvalOptions, EvalReport } from "./report.ts";
import { isWithinBounds, printReport } from "./report.ts";
import { evaluateRerank } from "./rerank.ts";
import { evaluateRetrieval } from "./retrieval.ts";
import { evaluateRoutellm } from "./routellm.ts";
import { evaluateRouter } from "./router.ts";

const HELP = `usage: npm run eval -- <what> --data PATH [options]

what
  retrieval   nDCG@10 and recall of /v1/memory/search; PATH is a folder in BEIR's layout
  rerank      nDCG@10, MRR@10 and the share of right first documents by every way to order what
              hybrid search found; PATH is a folder in BEIR's layout or a SQuAD 1.1 file
  reader      F1 and exact match; PATH is a file in SQuAD's layout (1.1 or 2.0)
  encoder     cosine with the fp32 original; PATH is what train/export_reference.py wrote
  router      AUROC and calibration of the difficulty score; PATH is a SQuAD 1.1 file
  routellm    CPT50, CPT80 and APGR of the prior on RouteLLM's labels; PATH is a folder with its
              mmlu and gsm8k
  learning    the backend share that a fixed quality needs as questions come again in other
              words; PATH is a SQuAD 1.1 file
  notes       which questions a note would answer, of pairs that ask the same and pairs that do
              not; PATH is a SQuAD 1.1 file
  cache       which questions the semantic cache would take for each other, likewise
  codes       recall of the vector index against exact search; PATH as for retrieval

options
  --data PATH      the data (required)
  --json FILE      write the report as JSON too
  --url URL        use a running service (keys brink-dev, brink-admin) instead of starting one
  --setting S      reader only: gold (the question's own paragraph), open (all paragraphs in
                   memory, through /v1/chat/completions) or both (default)
  --split NAME     retrieval, rerank: which qrels, default test
  --pool PATH      router only: another SQuAD 1.1 file; 1,000 random halves of the questions of both
                   set a threshold each, whose risk over all of them is compared with the target
  --tune           retrieval only: search the weight of hybrid search on the train qrels
  --limit N        only the first N questions
  --help           this text`;

const SETTINGS = ["gold", "open", "both"];

const evaluations: Record<string, (options: EvalOptions) => Promise<EvalReport>> = {
  retrieval: evaluateRetrieval,
  rerank: evaluateRerank,
  reader: evaluateReader,
  router: evaluateRouter,
  routellm: evaluateRoutellm,
  encoder: evaluateEncoder,
  learning: evaluateLearning,
  notes: evaluateNotes,
  cache: evaluateCache,
  codes: evaluateCodes,
};

const { values, positionals } = readProgram(
  HELP,
  {
    data: { type: "string" },
    json: { type: "string" },
    url: { type: "string" },
    setting: { type: "string", default: "both" },
    split: { type: "string", default: "test" },
    pool: { type: "string" },
    tune: { type: "boolean", default: false },
    limit: { type: "string" },
  },
  1,
);
const [what] = positionals;
if (what === undefined) endWrongUse("no evaluation named");
if (!Object.hasOwn(evaluations, what))
  endWrongUse(`no evaluation is named ${what}: there are ${Object.keys(evaluations).join(", ")}`);
if (!SETTINGS.includes(values.setting))
  endWrongUse(`--setting is ${SETTINGS.join(", ")}, not ${JSON.stringify(values.setting)}`);
const { data, pool = null } = values;
if (data === undefined) endWrongUse("the data is needed: --data PATH");
for (const path of [data, ...(pool === null ? [] : [pool])])
  if (!existsSync(path)) endWrongUse(`${path} does not exist`);
const report = await evaluations[what]!({
  data,
  url: values.url ?? null,
  setting: values.setting,
  split: values.split,
  pool,
  tune: values.tune,
  limit: readNumber("limit", values.limit, Number.POSITIVE_INFINITY),
});
printReport(report);
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
if (!isWithinBounds(report)) process.exitCode = 1;
