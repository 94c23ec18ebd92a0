/** Notes: answers that were found good, as administrators see and change them. */
import {
  CURSOR_CHARS_MAX,
  NOTE_ANSWER_CHARS_MAX,
  NOTE_TTL_DAYS_MAX,
  NOTES_PAGE_MAX,
} from "../../limits.ts";
import type { NotePatch, NotePolicy } from "../../pipeline/notes-types.ts";
import { PathText, parse, z } from "./common.ts";
import { Time, unixMs } from "./documents.ts";

const State = z.enum(["active", "pending"]).openapi({
  description: "Pending notes answer nothing until they are made active.",
});

export const NotesQuery = z.object({
  state: State.default("active"),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(NOTES_PAGE_MAX)
    .default(NOTES_PAGE_MAX)
    .openapi({ description: "How many to a page." }),
  cursor: PathText.max(CURSOR_CHARS_MAX)
    .optional()
    .openapi({ description: "The last page's `cursor`; omitted: the first page." }),
});

export const NoteReply = z
  .object({
    id: z.string(),
    question: z.string(),
    answer: z.string(),
    kind: z.enum(["answer", "correction"]).openapi({ description: "Corrections beat answers." }),
    state: State,
    learned_by: z.enum(["rating", "correction", "agreement", "admin"]),
    trace_id: z.string().openapi({ description: "The answer that it was learned from." }),
    engine: z.string(),
    edge_answer: z.string().nullable().openapi({ description: "What the reader had answered." }),
    sources: z.array(
      z.object({
        document_id: z.string(),
        version: z.int(),
        digest: z.string().optional().openapi({
          description: "SHA-256 of the document: with another one it has changed.",
        }),
      }),
    ),
    seen: z.int().openapi({
      description: "How often a backend has given the answer; 0 once the note was set aside.",
    }),
    learned_at: z.number().openapi({ description: "Unix time in ms." }),
    used_at: z.number().openapi({ description: "Unix time in ms, to the day." }),
    expires_at: z.number().openapi({ description: "Unix time in ms." }),
    stale: z.boolean().openapi({
      description: "A source changed or went since: it answers nothing until it is confirmed.",
    }),
  })
  .openapi("Note");

export const NotesReply = z
  .object({
    notes: z.array(NoteReply),
    cursor: z.string().nullable().openapi({ description: "For the next page; null: the last." }),
  })
  .openapi("NoteList");

export const NotePatchRequest = z
  .strictObject({
    answer: z
      .string()
      .max(NOTE_ANSWER_CHARS_MAX, { error: `has ${NOTE_ANSWER_CHARS_MAX} characters at most` })
      .refine((text) => text.trim() !== "", { error: "may not be blank" })
      .nullish()
      .openapi({ description: "What it answers from now on." }),
    state: State.nullish(),
    expires_at: Time.nullish(),
    confirm: z.literal(true).nullish().openapi({
      description: "The answer holds for its sources as they are now.",
    }),
  })
  .refine((body) => Object.values(body).some((value) => value != null), {
    error: "names nothing to change: answer, state, expires_at or confirm",
  })
  .openapi("NotePatch");

/** Throws `invalid_request`. */
export function parseNotePatch(body: unknown): NotePatch {
  const { answer, state, expires_at, confirm } = parse(NotePatchRequest, body);
  return {
    ...(answer == null ? {} : { answer: answer.trim() }),
    ...(state == null ? {} : { state }),
    ...(expires_at == null ? {} : { expires_at: unixMs(expires_at) }),
    ...(confirm == null ? {} : { confirm }),
  };
}

const Policy = z.enum(["off", "rated", "agreed"]).openapi({
  description:
    "What becomes a note: nothing, answers rated good and corrections, or those and answers that " +
    "engines agree on. With off, notes answer nothing either.",
});

const TtlDays = z.number().positive().max(NOTE_TTL_DAYS_MAX).openapi({
  description: "How long a note lives from when it was learned.",
});

export const NotePolicyReply = z.object({ notes: Policy, ttl_days: TtlDays }).openapi("NotePolicy");

export const NotePolicyRequest = z
  .strictObject({ notes: Policy.nullish(), ttl_days: TtlDays.nullish() })
  .openapi("NotePolicyChange");

/** Throws `invalid_request`. */
export function parseNotePolicy(body: unknown): Partial<NotePolicy> {
  const given = Object.entries(parse(NotePolicyRequest, body)).filter(([, value]) => value != null);
  return Object.fromEntries(given);
}
