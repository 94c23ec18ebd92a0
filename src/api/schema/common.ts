/** What the schemas share: field types, and the one place where a mismatch becomes an error. */
import { z } from "@hono/zod-openapi";
import { cutText } from "../../../index/cut.ts";
import { ServiceError } from "../../errors.ts";
import { DOCUMENT_ID_CHARS_MAX, NAMESPACE_PATTERN } from "../../limits.ts";

export { z };

/** The value as `schema` reads it. Throws `invalid_request` with the path of the first field that
 *  does not fit; fields refused with `unsupported(...)` throw `unsupported_parameter`. Text is
 *  expected to have passed `checkJson`. */
export function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = innermost(result.error.issues[0]!);
  const path =
    issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0]!] : [...issue.path];
  const param = pathText(path);
  const fact = issue.code === "unrecognized_keys" ? "unknown field" : plainly(issue.message);
  const unsupported = issue.code === "custom" && issue.params?.unsupported === true;
  throw new ServiceError(
    unsupported ? "unsupported_parameter" : "invalid_request",
    cutText(`${param || "the body"}: ${fact}`, 500),
    param === "" ? {} : { param },
  );
}

/** Zod's own wording, for a person who sent a field or forgot one. */
function plainly(message: string): string {
  const fact = message.replace(/^Invalid input: /, "");
  return /^expected \w+, received undefined$/.test(fact) ? "is missing" : fact;
}

type Issue = z.core.$ZodIssue;

/** In a union's failure, the issue of the branch that fitted furthest, if any got past the top. */
function innermost(issue: Issue): Issue {
  if (issue.code !== "invalid_union") return issue;
  const branches = issue.errors.map((issues) => issues[0]).filter((first) => first !== undefined);
  const best = branches.reduce<Issue | null>((deepest, first) => {
    const depth = first.path.length + (first.code === "unrecognized_keys" ? 1 : 0);
    return depth > (deepest?.path.length ?? 0) ? first : deepest;
  }, null);
  if (best === null) return issue;
  return innermost({ ...best, path: [...issue.path, ...best.path] });
}

/** `["messages", 0, "content"]` as `messages[0].content`. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((at, step) => {
    if (typeof step === "number") return `${at}[${step}]`;
    return at === "" ? String(step) : `${at}.${String(step)}`;
  }, "");
}

/** Adds to a superRefine context a refusal that `parse` reports as `unsupported_parameter`. */
export function unsupported(ctx: z.RefinementCtx, path: PropertyKey[], message: string): void {
  ctx.addIssue({ code: "custom", path, message, params: { unsupported: true } });
}

export const Namespace = z
  .string()
  .regex(NAMESPACE_PATTERN, {
    error: "a namespace is 1 to 63 of a-z, 0-9, - and _, and starts with a letter or digit",
  })
  .openapi({ description: "A namespace's name.", example: "docs" });

export const DocumentId = z
  .string()
  .min(1, { error: "an id may not be empty" })
  .max(DOCUMENT_ID_CHARS_MAX, { error: `an id has ${DOCUMENT_ID_CHARS_MAX} characters at most` })
  .refine((id) => id !== "." && id !== "..", {
    error: 'an id may not be "." or "..", which a URL cannot carry',
  })
  .openapi({ description: "A document's id, unique in its namespace.", example: "lease-2026" });

/** A path parameter, which has not passed `checkJson`. */
export const PathText = z
  .string()
  .max(1_024, { error: "longer than 1024 characters" })
  .refine((text) => text.isWellFormed() && !text.includes("\0"), {
    error: "has a NUL character or a lone surrogate",
  });

/** A query parameter that counts: digits alone, where `Number` would take an empty text for 0. */
export const CountText = z
  .string()
  .regex(/^\d{1,15}$/, { error: "must be a whole number, 0 or more" })
  .transform(Number)
  .openapi({ type: "integer", minimum: 0 });

export const SearchModeField = z
  .enum(["hybrid", "bm25", "vector"])
  .openapi({ description: "How passages are found; hybrid fuses the two others." });

export const Metadata = z
  .record(z.string(), z.unknown())
  .openapi({ description: "Any JSON object; filters compare its top-level fields." });

/** The request headers of a write. */
export const IdempotencyHeaders = z.object({
  "idempotency-key": z
    .string()
    .min(1)
    .max(255)
    .optional()
    .openapi({
      description:
        "Of your making. The same request under the same key within a day gets the first one's " +
        "reply, with the header idempotent-replayed, and does nothing.",
    }),
});

/** OpenAI's error shape, which every failure has. */
export const ErrorReply = z
  .object({
    error: z.object({
      message: z.string().openapi({ description: "For people; may change." }),
      type: z.string().openapi({ description: "Coarser than `code`, as OpenAI has it." }),
      code: z.string().openapi({ description: "Stable, from a closed list." }),
      param: z.string().nullable().openapi({ description: "The request field at fault." }),
    }),
  })
  .openapi("Error");
