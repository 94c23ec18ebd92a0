/** Jobs: long ingests in parts that survive a break. */
import { JOB_NAME_CHARS_MAX } from "../../limits.ts";
import { CountText, PathText, parse, z } from "./common.ts";

export const JobRequest = z
  .strictObject({
    name: z.string().max(JOB_NAME_CHARS_MAX).nullish().openapi({
      description: "What people call it, such as the file's name.",
    }),
  })
  .openapi("JobRequest");

/** Throws `invalid_request`. */
export function parseJobRequest(body: unknown): string | null {
  return parse(JobRequest, body).name ?? null;
}

/** The line that the body begins with, counted from 0. */
export const LinesQuery = z.object({
  from: CountText.openapi({
    description: "How many lines of the whole file are before the body's first.",
  }),
});

const Summary = z.object({
  id: z.string(),
  name: z.string().nullable(),
  state: z.enum(["open", "finished"]),
  lines: z.int().openapi({ description: "Lines taken, blank ones included: where it goes on." }),
  bytes: z.int().openapi({ description: "Bytes of those lines: where the file goes on." }),
  upserted: z.int().openapi({ description: "Documents that were stored." }),
  unchanged: z.int().openapi({ description: "Documents that were there already, just so." }),
  passages: z.int(),
  error_count: z.int().openapi({ description: "Lines that were refused." }),
  created_at: z.number().openapi({ description: "Unix time in ms." }),
  updated_at: z.number().openapi({ description: "Unix time in ms." }),
});

export const JobReply = Summary.extend({
  errors: z
    .array(
      z.object({
        line: z.int().openapi({ description: "From 0." }),
        code: z.string(),
        message: z.string(),
      }),
    )
    .openapi({ description: "The first 1,000." }),
}).openapi("Job");

export const JobsReply = z.object({ jobs: z.array(Summary) }).openapi("JobList");

export const JobId = PathText;
