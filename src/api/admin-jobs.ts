/** /admin/namespaces/{ns}/jobs: long ingests, sent in parts, that go on where they broke off. */
import { mayPass, ServiceError } from "../errors.ts";
import { BODY_BYTES_MAX } from "../limits.ts";
import type { Job, JobStep } from "../memory/jobs.ts";
import type { MemoryAdmin } from "../pipeline/memory-types.ts";
import type { Caller, IngestOutcome } from "../pipeline/types.ts";
import { NamespaceParams, pathNamespace } from "./admin-namespaces.ts";
import { readJson } from "./body.ts";
import { type ApiContext, endpoint, newApi } from "./context.ts";
import { type LineCounts, loadLines } from "./load-lines.ts";
import { type Line, readLines } from "./ndjson.ts";
import { parse } from "./schema/common.ts";
import { Document } from "./schema/documents.ts";
import {
  JobId,
  JobReply,
  JobRequest,
  JobsReply,
  LinesQuery,
  parseJobRequest,
} from "./schema/jobs.ts";
import { DeletedReply, NEEDS_ADMIN_KEY, replies } from "./schema/replies.ts";

export const adminJobs = newApi();

const JOBS = "/admin/namespaces/{ns}/jobs";
const JobParams = NamespaceParams.extend({
  id: JobId.openapi({ description: "As the job's beginning told it." }),
});

function pathJob(c: ApiContext): [Caller, string, string] {
  const { id } = parse(JobParams, c.req.param());
  return [c.get("caller"), pathNamespace(c), id];
}

endpoint(
  adminJobs,
  {
    method: "post",
    path: JOBS,
    summary: "Begin a job",
    security: NEEDS_ADMIN_KEY,
    request: {
      params: NamespaceParams,
      body: { required: false, content: { "application/json": { schema: JobRequest } } },
    },
    responses: replies(201, "The job", JobReply),
  },
  async (c) => {
    const namespace = pathNamespace(c);
    const name = parseJobRequest(await readJson(c, {}));
    return c.json(
      await c.get("service").memoryAdmin.createJob(c.get("caller"), namespace, name),
      201,
    );
  },
);

endpoint(
  adminJobs,
  {
    method: "get",
    path: JOBS,
    summary: "List the jobs, without their errors",
    security: NEEDS_ADMIN_KEY,
    request: { params: NamespaceParams },
    responses: replies(200, "The newest first", JobsReply),
  },
  async (c) => {
    const jobs = await c.get("service").memoryAdmin.listJobs(c.get("caller"), pathNamespace(c));
    return c.json({ jobs });
  },
);

endpoint(
  adminJobs,
  {
    method: "get",
    path: `${JOBS}/{id}`,
    summary: "Show a job: how far it is, and its errors",
    security: NEEDS_ADMIN_KEY,
    request: { params: JobParams },
    responses: replies(200, "The job", JobReply),
  },
  async (c) => c.json(await c.get("service").memoryAdmin.getJob(...pathJob(c))),
);

endpoint(
  adminJobs,
  {
    method: "post",
    path: `${JOBS}/{id}/lines`,
    summary: "Send the job's next lines",
    description:
      "Whole lines of NDJSON. Those before the job's position are skipped, so that a part whose " +
      "reply was lost can be sent again; a part that leaves lines out is a conflict. The " +
      "position moves on as lines are stored, also when the request breaks off.",
    security: NEEDS_ADMIN_KEY,
    request: {
      params: JobParams,
      query: LinesQuery,
      body: { required: true, content: { "application/x-ndjson": { schema: Document } } },
    },
    responses: replies(200, "The job, its position moved on", JobReply),
  },
  async (c) => {
    const { from } = parse(LinesQuery, c.req.query());
    const lines = bounded(readLines(c));
    return c.json(await loadPart(c.get("service").memoryAdmin, pathJob(c), from, lines));
  },
);

endpoint(
  adminJobs,
  {
    method: "post",
    path: `${JOBS}/{id}/finish`,
    summary: "Finish a job",
    description: "It takes no more lines. What it stored and its errors stay.",
    security: NEEDS_ADMIN_KEY,
    request: { params: JobParams },
    responses: replies(200, "The job", JobReply),
  },
  async (c) => c.json(await c.get("service").memoryAdmin.finishJob(...pathJob(c))),
);

endpoint(
  adminJobs,
  {
    method: "delete",
    path: `${JOBS}/{id}`,
    summary: "Forget a job",
    description: "What it stored stays.",
    security: NEEDS_ADMIN_KEY,
    request: { params: JobParams },
    responses: replies(200, "It is forgotten", DeletedReply),
  },
  async (c) => {
    const [caller, namespace, id] = pathJob(c);
    await c.get("service").memoryAdmin.deleteJob(caller, namespace, id);
    return c.json({ id, deleted: true });
  },
);

/** Stores the lines that the job has not taken yet. Throws `conflict` where it is finished, where
 *  `from` is beyond its position, or where somebody else moves it on meanwhile. */
async function loadPart(
  memory: MemoryAdmin,
  [caller, namespace, id]: [Caller, string, string],
  from: number,
  groups: AsyncGenerator<Line[]>,
): Promise<Job> {
  let job = await memory.getJob(caller, namespace, id);
  if (job.state === "finished")
    throw new ServiceError("conflict", "the job is finished and takes no more lines");
  if (from > job.lines)
    throw new ServiceError(
      "conflict",
      `from: the job is at line ${job.lines}, lines ${job.lines} to ${from - 1} are missing`,
      { param: "from" },
    );
  await loadLines(
    skipped(groups, job.lines - from),
    { from: job.lines, blanks: true },
    async (documents) => unlessUnsure(await memory.ingest(caller, namespace, documents)),
    async (counts) => {
      job = await memory.advanceJob(caller, namespace, id, job.lines, stepOf(counts));
    },
  );
  return job;
}

/** Throws what will pass, such as a shard that does not answer: the job stays where it is, and the
 *  same lines can be sent again. */
function unlessUnsure(outcome: IngestOutcome): IngestOutcome {
  const passing = outcome.errors.find(({ code }) => mayPass(code));
  if (passing !== undefined) throw new ServiceError(passing.code, passing.message);
  return outcome;
}

function stepOf({ errors, ...counts }: LineCounts): JobStep {
  return { ...counts, errors: errors.map(({ index, ...error }) => ({ line: index, ...error })) };
}

async function* skipped(groups: AsyncGenerator<Line[]>, count: number): AsyncGenerator<Line[]> {
  let left = count;
  for await (const lines of groups) {
    const rest = left === 0 ? lines : lines.slice(left);
    left -= lines.length - rest.length;
    if (rest.length > 0) yield rest;
  }
}

/** A part has the bound of every body: a longer one would lose more when it breaks off. What was
 *  stored before the bound was met stays stored. */
async function* bounded(groups: AsyncGenerator<Line[]>): AsyncGenerator<Line[]> {
  let bytes = 0;
  for await (const lines of groups) {
    for (const line of lines) bytes += line.bytes;
    if (bytes > BODY_BYTES_MAX)
      throw new ServiceError(
        "body_too_large",
        `a part of a job may have ${BODY_BYTES_MAX} bytes at most: send the rest as the next`,
      );
    yield lines;
  }
}
