/** Keys and their use: what administrators send and get back. */
import { BUDGET_PERIODS, SCOPES, type Scope } from "../../ledger/types.ts";
import type { UsageCounts } from "../../ledger/usage-object.ts";
import {
  BUDGET_USD_MAX,
  KEY_NAME_CHARS_MAX,
  KEY_NAMESPACES_MAX,
  NAMESPACE_PATTERN,
  REQUESTS_PER_MINUTE_MAX,
  ROTATE_GRACE_S_MAX,
  TOKENS_PER_MINUTE_MAX,
  USAGE_DAYS_DEFAULT,
  USAGE_DAYS_KEPT,
} from "../../limits.ts";
import type {
  KeyPatch,
  KeyRequest,
  KeyUsageInfo,
  ListedKey,
  TenantUsage,
} from "../../pipeline/keys-types.ts";
import { NANOS_PER_USD } from "../../pipeline/usage.ts";
import { Namespace, PathText, parse, z } from "./common.ts";
import { Time, unixMs } from "./documents.ts";

const Scopes = z
  .array(z.enum(SCOPES))
  .min(1)
  .max(SCOPES.length)
  .openapi({
    description:
      "inference: ask, embed, rerank, search; memory:write: also remember turns, and have " +
      "corrections believed; admin:read: GET what an administrator may; admin: everything.",
  });

/** What both making and changing a key may set. */
const fields = {
  name: z.string().max(KEY_NAME_CHARS_MAX).nullish().openapi({ description: "For people." }),
  scopes: Scopes.nullish().openapi({ description: "Omitted: inference." }),
  namespaces: z
    .array(Namespace)
    .min(1)
    .max(KEY_NAMESPACES_MAX)
    .nullish()
    .openapi({ description: "Omitted or null: all of the tenant's." }),
  default_namespace: Namespace.nullish().openapi({
    description: "Where a chat that says nothing of memory looks; omitted or null: nowhere.",
  }),
  expires_at: Time.nullish().openapi({ description: "Omitted or null: never." }),
  requests_per_minute: z.int().min(1).max(REQUESTS_PER_MINUTE_MAX).nullish().openapi({
    description: "In any 60 seconds; omitted or null: no limit.",
  }),
  tokens_per_minute: z.int().min(1).max(TOKENS_PER_MINUTE_MAX).nullish().openapi({
    description: "Of prompts and answers; omitted or null: no limit.",
  }),
  budget_usd: z.number().min(0).max(BUDGET_USD_MAX).nullish().openapi({
    description: "What answers of the key may cost; omitted or null: no limit.",
  }),
  budget_period: z.enum(BUDGET_PERIODS).nullish().openapi({
    description: "Days and months are UTC's. Omitted: month.",
  }),
  disabled: z.boolean().nullish().openapi({ description: "A disabled key is refused." }),
};

export const KeyRequestBody = z
  .strictObject({
    ...fields,
    role: z.enum(["inference", "admin"]).nullish().openapi({
      description: "The scope of that name, where `scopes` is omitted.",
    }),
    permissions: z
      .array(z.enum(["memory:write"]))
      .max(1)
      .nullish()
      .openapi({ description: "Scopes besides `role`." }),
    tenant: z
      .string()
      .regex(NAMESPACE_PATTERN, { error: "a tenant is named as a namespace is" })
      .nullish()
      .openapi({ description: "Omitted: your own. Only tenant `default` may name another." }),
  })
  .superRefine((body, ctx) => {
    const refuse = (path: string, message: string) =>
      ctx.addIssue({ code: "custom", path: [path], message });
    const { namespaces, default_namespace } = body;
    if (body.scopes && (body.role || body.permissions)) refuse("role", "is said by scopes");
    if (scopesOf(body).some((scope) => scope.startsWith("admin")) && namespaces != null)
      refuse("namespaces", "an admin key reaches every namespace of its tenant");
    if (namespaces != null && default_namespace != null && !namespaces.includes(default_namespace))
      refuse("default_namespace", "must be one of namespaces");
  })
  .openapi("KeyRequest");

function scopesOf(body: {
  scopes?: Scope[] | null;
  role?: "inference" | "admin" | null;
  permissions?: "memory:write"[] | null;
}): Scope[] {
  const scopes = body.scopes ?? [body.role ?? "inference", ...(body.permissions ?? [])];
  return SCOPES.filter((scope) => scopes.includes(scope)); // in one order, each once
}

/** Throws `invalid_request`. */
export function parseKeyRequest(body: unknown): KeyRequest {
  const asked = parse(KeyRequestBody, body);
  return {
    name: asked.name ?? null,
    scopes: scopesOf(asked),
    tenant: asked.tenant ?? null,
    namespaces: asked.namespaces ?? null,
    default_namespace: asked.default_namespace ?? null,
    expires_at: asked.expires_at == null ? null : unixMs(asked.expires_at),
    requests_per_minute: asked.requests_per_minute ?? null,
    tokens_per_minute: asked.tokens_per_minute ?? null,
    budget_usd: asked.budget_usd ?? null,
    budget_period: asked.budget_period ?? "month",
    disabled: asked.disabled ?? false,
  };
}

export const KeyPatchRequest = z
  .strictObject(fields)
  .refine((body) => Object.keys(body).length > 0, { error: "names nothing to change" })
  .openapi("KeyPatch", { description: "What is left out stays; null takes a limit away." });

/** Throws `invalid_request`. */
export function parseKeyPatch(body: unknown): KeyPatch {
  const { scopes, expires_at, budget_period, disabled, ...rest } = parse(KeyPatchRequest, body);
  return {
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)),
    ...(scopes == null ? {} : { scopes: scopesOf({ scopes }) }),
    ...(expires_at === undefined
      ? {}
      : { expires_at: expires_at === null ? null : unixMs(expires_at) }),
    ...(budget_period == null ? {} : { budget_period }),
    ...(disabled == null ? {} : { disabled }),
  };
}

export const RotateRequest = z
  .strictObject({
    grace_seconds: z.int().min(0).max(ROTATE_GRACE_S_MAX).nullish().openapi({
      description: "How long the text that the key had goes on working. Omitted: no longer.",
    }),
  })
  .openapi("KeyRotation");

/** Throws `invalid_request`. */
export function parseRotate(body: unknown): { graceMs: number } {
  return { graceMs: (parse(RotateRequest, body).grace_seconds ?? 0) * 1_000 };
}

export const KeyParams = z.object({
  id: PathText.openapi({ description: "A key's id, not its text." }),
});

export const UsageQuery = z.object({
  days: z.coerce.number().int().min(1).max(USAGE_DAYS_KEPT).default(USAGE_DAYS_DEFAULT).openapi({
    description: "How far back, today included.",
  }),
});

const Counts = {
  requests: z.int().openapi({ description: "Those that were refused included." }),
  refused: z.int().openapi({ description: "By a rate or the budget." }),
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  cost_usd: z.number().openapi({ description: "By the configured prices." }),
};

function showCounts({ nanos, ...counts }: UsageCounts) {
  const { requests, refused, prompt_tokens, completion_tokens } = counts;
  return { requests, refused, prompt_tokens, completion_tokens, cost_usd: nanos / NANOS_PER_USD };
}

const KeyFields = {
  id: z.string(),
  name: z.string().nullable(),
  tenant: z.string(),
  role: z.enum(["inference", "admin"]).openapi({ description: "admin with that scope." }),
  scopes: Scopes,
  namespaces: z.array(z.string()).nullable(),
  default_namespace: z.string().nullable(),
  expires_at: z.number().nullable().openapi({ description: "Unix time in ms." }),
  disabled: z.boolean(),
  requests_per_minute: z.int().nullable(),
  tokens_per_minute: z.int().nullable(),
  budget_usd: z.number().nullable(),
  budget_period: z.enum(BUDGET_PERIODS),
  created_at: z.number().openapi({ description: "Unix time in ms." }),
};

export const KeyReply = z.object(KeyFields).openapi("Key");

export const NewKeyReply = KeyReply.extend({
  key: z.string().openapi({ description: "The key itself; it is shown this once." }),
}).openapi("NewKey");

const ListedKeyReply = KeyReply.extend({
  usage: z
    .object({ ...Counts, last_day: z.string().openapi({ description: "The last day of any." }) })
    .nullable()
    .openapi({ description: `In ${USAGE_DAYS_DEFAULT} days; null: none.` }),
}).openapi("ListedKey");

export const KeysReply = z.object({ keys: z.array(ListedKeyReply) }).openapi("KeyList");

export const KeyUsageReply = z
  .object({
    id: z.string(),
    days: z.array(z.object({ day: z.string(), ...Counts })),
    budget: z
      .object({
        budget_usd: z.number(),
        budget_period: z.enum(BUDGET_PERIODS),
        spent_usd: z.number().openapi({ description: "In this period." }),
        held_usd: z.number().openapi({ description: "For answers under way." }),
        remaining_usd: z.number().openapi({ description: "Neither spent nor held." }),
        lapsed_usd: z.number().openapi({
          description: "Was held for answers whose end was never told; not counted as spent.",
        }),
        resets_at: z.number().nullable().openapi({ description: "Unix time in ms." }),
      })
      .nullable(),
  })
  .openapi("KeyUsage");

export const TenantUsageReply = z
  .object({
    tenant: z.string(),
    days: z.array(z.object({ day: z.string(), ...Counts })),
    keys: z.array(z.object({ id: z.string(), last_day: z.string(), ...Counts })),
  })
  .openapi("TenantUsage");

/** A key as it is shown. */
export function showKey<K extends { scopes: Scope[] }>(key: K): K & { role: Scope } {
  return { ...key, role: key.scopes.includes("admin") ? "admin" : "inference" };
}

export function showListedKey({ usage, ...key }: ListedKey) {
  if (usage === null) return { ...showKey(key), usage };
  return { ...showKey(key), usage: { ...showCounts(usage), last_day: usage.last_day } };
}

export function showKeyUsage({ key, days, budget }: KeyUsageInfo) {
  const { id, budget_usd, budget_period } = key;
  const shown = days.map(({ day, ...counts }) => ({ day, ...showCounts(counts) }));
  if (budget === null) return { id, days: shown, budget: null };
  const [spent_usd, held_usd, lapsed_usd] = [
    budget.spent_nanos / NANOS_PER_USD,
    budget.held_nanos / NANOS_PER_USD,
    budget.lapsed_nanos / NANOS_PER_USD,
  ];
  const remaining_usd = Math.max(0, budget_usd! - spent_usd - held_usd);
  const { resets_at } = budget;
  const state = { spent_usd, held_usd, remaining_usd, lapsed_usd, resets_at };
  return { id, days: shown, budget: { budget_usd, budget_period, ...state } };
}

export function showTenantUsage({ tenant, days, keys }: TenantUsage) {
  return {
    tenant,
    days: days.map(({ day, ...counts }) => ({ day, ...showCounts(counts) })),
    keys: keys.map(({ key, last_day, ...counts }) => {
      return { id: key, last_day, ...showCounts(counts) };
    }),
  };
}
