/** Namespaces, keys and the router: what operators send and get back. */
import { KEY_NAME_CHARS_MAX, KEY_NAMESPACES_MAX, NAMESPACE_PATTERN } from "../../limits.ts";
import type { NamespaceOptions } from "../../memory/types.ts";
import type { KeyRequest } from "../../pipeline/types.ts";
import { Namespace, parse, z } from "./common.ts";

const Bm25Unit = z.enum(["passage", "document"]).openapi({
  description: "What BM25 counts: single passages or whole documents.",
});

export const NamespaceRequest = z
  .strictObject({
    bm25_unit: Bm25Unit.nullish(),
    k1: z.number().min(0).max(10).nullish().openapi({ description: "Term saturation." }),
    b: z.number().min(0).max(1).nullish().openapi({ description: "Length normalization." }),
  })
  .openapi("NamespaceOptions");

/** The options that are given. Throws `invalid_request`. */
export function parseNamespaceOptions(body: unknown): Partial<NamespaceOptions> {
  const given = Object.entries(parse(NamespaceRequest, body)).filter(([, value]) => value != null);
  return Object.fromEntries(given) as Partial<NamespaceOptions>;
}

export const NamespaceReply = z
  .object({
    name: z.string(),
    bm25_unit: Bm25Unit,
    k1: z.number(),
    b: z.number(),
    created_at: z.number().openapi({ description: "Unix time in ms." }),
  })
  .openapi("Namespace");

export const NamespacesReply = z
  .object({ namespaces: z.array(NamespaceReply) })
  .openapi("NamespaceList");

export const StatsReply = z
  .object({
    documents: z.int(),
    passages: z.int(),
    terms: z.int(),
    avgdl: z.number().openapi({ description: "Mean length of a BM25 unit, in terms." }),
    sqlite_bytes: z.int(),
    resident_bytes: z.int(),
  })
  .openapi("Stats");

export const KeyRequestBody = z
  .strictObject({
    name: z.string().max(KEY_NAME_CHARS_MAX).nullish(),
    role: z.enum(["inference", "admin"]).nullish().openapi({ description: "Omitted: inference." }),
    tenant: z
      .string()
      .regex(NAMESPACE_PATTERN, { error: "a tenant is named as a namespace is" })
      .nullish()
      .openapi({ description: "Omitted: your own. Only tenant `default` may name another." }),
    namespaces: z
      .array(Namespace)
      .min(1)
      .max(KEY_NAMESPACES_MAX)
      .nullish()
      .openapi({ description: "Omitted: all of the tenant's." }),
    default_namespace: Namespace.nullish().openapi({
      description: "Where a chat that says nothing of memory looks; omitted: nowhere.",
    }),
  })
  .superRefine((body, ctx) => {
    const refuse = (path: string, message: string) =>
      ctx.addIssue({ code: "custom", path: [path], message });
    const { role, namespaces, default_namespace } = body;
    if (role === "admin" && namespaces != null)
      refuse("namespaces", "an admin key reaches every namespace of its tenant");
    if (namespaces != null && default_namespace != null && !namespaces.includes(default_namespace))
      refuse("default_namespace", "must be one of namespaces");
  })
  .openapi("KeyRequest");

/** Throws `invalid_request`. */
export function parseKeyRequest(body: unknown): KeyRequest {
  const asked = parse(KeyRequestBody, body);
  return {
    name: asked.name ?? null,
    role: asked.role ?? "inference",
    tenant: asked.tenant ?? null,
    namespaces: asked.namespaces ?? null,
    default_namespace: asked.default_namespace ?? null,
  };
}

export const KeyReply = z
  .object({
    id: z.string(),
    name: z.string().nullable(),
    tenant: z.string(),
    role: z.enum(["inference", "admin"]),
    namespaces: z.array(z.string()).nullable(),
    default_namespace: z.string().nullable(),
    created_at: z.number().openapi({ description: "Unix time in ms." }),
  })
  .openapi("Key");

export const NewKeyReply = KeyReply.extend({
  key: z.string().openapi({ description: "The key itself; it is shown this once." }),
}).openapi("NewKey");

export const KeysReply = z.object({ keys: z.array(KeyReply) }).openapi("KeyList");

const Target = z.strictObject({
  max_risk: z.number().min(0).max(1).openapi({
    description: "The highest accepted probability that an edge answer is not good enough.",
  }),
});

export const RouterRequest = z.strictObject({ target: Target }).openapi("RouterRequest");

/** Throws `invalid_request`. */
export function parseRouter(body: unknown): { max_risk: number } {
  return parse(RouterRequest, body).target;
}

export const RouterReply = z
  .object({ target: Target, threshold: z.number(), weights_version: z.string() })
  .openapi("Router");
