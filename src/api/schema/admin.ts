/** Keys and the router: what operators send and get back. */
import { KEY_NAME_CHARS_MAX, KEY_NAMESPACES_MAX, NAMESPACE_PATTERN } from "../../limits.ts";
import type { KeyRequest } from "../../pipeline/types.ts";
import { Namespace, parse, z } from "./common.ts";

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
    permissions: z
      .array(z.enum(["memory:write"]))
      .max(1)
      .nullish()
      .openapi({
        description:
          "memory:write lets an inference key remember turns of conversations; an admin key may.",
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
    permissions: asked.permissions ?? [],
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
    permissions: z.array(z.string()).optional(),
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
