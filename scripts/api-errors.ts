/** Which error codes an operation may answer with, beside those that every one may. The OpenAPI
 *  document has one reply for all of them. */
import { ERROR_CODES, type ErrorCode } from "../src/errors.ts";

/** What the document says of one, as far as that matters here. */
export interface Operation {
  method: string;
  path: string;
  parameters?: { name: string }[];
  requestBody?: object;
}

const EVERY: ErrorCode[] = [
  ...(["internal", "misconfigured", "starting"] as const),
  ...(["storage_too_new", "storage_unavailable"] as const),
];
const WITH_KEY: ErrorCode[] = [
  ...(["missing_key", "invalid_key", "no_keys_configured", "forbidden"] as const),
  "ledger_unavailable",
];
const NAMESPACE: ErrorCode[] = ["namespace_forbidden", "namespace_not_found", "memory_busy"];
const SEARCH: ErrorCode[] = [...NAMESPACE, "shard_unavailable", "vectorize_not_configured"];
const MODEL: ErrorCode[] = ["model_not_found", "model_unavailable", "invalid_model_file"];
const ANSWER: ErrorCode[] = [
  ...SEARCH,
  ...MODEL,
  ...(["unsupported_parameter", "context_length_exceeded"] as const),
  ...(["backend_not_configured", "backend_unavailable", "backend_timeout"] as const),
  ...(["backend_busy", "generator_busy", "generator_unavailable"] as const),
];

/** What the operations at a path add, all rules that fit. */
const RULES: [RegExp, ErrorCode[]][] = [
  [/^POST \/v1\/(chat\/completions|responses)$/, ANSWER],
  [/^POST \/v1\/(embeddings|rerank|classify)$/, [...MODEL, "model_too_large"]],
  [/^GET \/v1\/models\/\{id\}$/, ["model_not_found"]],
  [/^POST \/v1\/memory\/search$/, [...SEARCH, ...MODEL]],
  [/^POST \/v1\/memory\/remember$/, [...NAMESPACE, "memory_full", "shard_unavailable"]],
  [/ \/v1\//, ["rate_limited", "insufficient_quota"]],
  [/^(?!PUT \S+\{ns\}$)\w+ \/admin\/namespaces\/\{ns\}/, NAMESPACE],
  [
    /^PUT \/admin\/namespaces\/\{ns\}$/,
    ["namespace_forbidden", "memory_busy", "conflict", "vectorize_not_configured"],
  ],
  [/^POST .*\/documents$/, ["memory_full", "shard_unavailable", "version_conflict"]],
  [/^(GET|PATCH|DELETE) .*\/documents\/\{id\}$/, ["document_not_found"]],
  [/^(PATCH|DELETE) .*\/documents\/\{id\}$/, ["version_conflict", "shard_unavailable"]],
  [/^PATCH .*\/documents\/\{id\}$/, ["memory_full"]],
  [/\/jobs\/\{id\}/, ["job_not_found"]],
  [/^POST .*\/jobs/, ["conflict"]],
  [/\/jobs\/\{id\}\/lines$/, ["memory_full", "shard_unavailable"]],
  [/^POST .*\/(split|snapshots)/, ["conflict"]],
  [/\/snapshots/, ["snapshots_not_configured"]],
  [/\/snapshots\/\{id\}/, ["snapshot_not_found"]],
  [/\/restore$/, ["snapshot_damaged"]],
  [/\/notes\/\{id\}$|\/keys\/\{id\}|\/uploads\/\{|\/traces\/\{|\/rollback$/, ["not_found"]],
  [/^POST \/v1\/feedback$/, ["not_found"]],
  [/^POST \/admin\/(keys|router\/versions)$|^POST .*\/uploads/, ["conflict"]],
  [/ \/admin\/models/, ["generator_not_configured"]],
  [/^DELETE \/admin\/models\/\{name\}$/, ["model_not_found"]],
  [/^POST .*\/uploads/, ["model_too_large", "invalid_model_file", "model_unavailable"]],
];

/** In the order of the closed list, which is that of `ERROR_CODES`. */
export function errorsOf(operation: Operation): ErrorCode[] {
  const { method, path, parameters = [], requestBody } = operation;
  const codes = new Set<ErrorCode>();
  const add = (more: readonly ErrorCode[]) => {
    for (const code of more) codes.add(code);
  };
  if (requestBody)
    add(["invalid_json", "invalid_request", "body_too_large", "unsupported_media_type"]);
  if (parameters.length > 0) add(["invalid_request"]);
  // The body is read for the key's sake, also where the operation takes none.
  if (parameters.some(({ name }) => name === "idempotency-key")) {
    add(["idempotency_key_in_use", "idempotency_key_reused"]);
    add(["body_too_large", "unsupported_media_type"]);
  }
  for (const [pattern, more] of RULES) if (pattern.test(`${method} ${path}`)) add(more);
  return inOrder(codes);
}

/** What any operation may answer with, and any that needs a key. */
export function commonErrors(): { every: ErrorCode[]; withKey: ErrorCode[] } {
  return { every: inOrder(new Set(EVERY)), withKey: inOrder(new Set(WITH_KEY)) };
}

function inOrder(codes: ReadonlySet<ErrorCode>): ErrorCode[] {
  return (Object.keys(ERROR_CODES) as ErrorCode[]).filter((code) => codes.has(code));
}
