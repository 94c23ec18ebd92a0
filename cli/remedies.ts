/** What whoever calls the command line can do about a refusal of the service's. */
import type { ErrorCode } from "../src/errors.ts";
import type { NOT_BRINK, TIMEOUT } from "./client.ts";

const REMEDIES: Partial<Record<ErrorCode | typeof NOT_BRINK | typeof TIMEOUT, string>> = {
  timeout: "--timeout S waits longer; npx brink doctor looks what ails the service",
  not_brink: "say where Brink is: --url, BRINK_URL, or npx brink init writes it down",
  missing_key: "give a key: --key, BRINK_KEY, or npx brink init writes one down",
  invalid_key: "give another key: --key, BRINK_KEY, or npx brink init writes one down",
  no_keys_configured: "npm run deploy sets the first key",
  forbidden: "use a key with that scope: an admin's npx brink keys create --scopes makes one",
  namespace_forbidden: "use a key for that namespace: npx brink keys limits ID --namespaces A,B",
  namespace_not_found: "npx brink namespaces list shows those there are, create NS makes one",
  job_not_found: "npx brink namespaces jobs NS shows those there are",
  document_not_found: "npx brink documents list NS shows those there are",
  model_not_found: "npx brink models list shows your own, models add puts one there",
  rate_limited: "wait, or raise the limit: npx brink keys limits ID --rpm N --tpm N",
  insufficient_quota: "npx brink keys usage ID shows it, keys limits ID --budget USD raises it",
  memory_full: "npx brink namespaces stats NS shows what it holds (docs/operations.md)",
  memory_busy: "wait: npx brink namespaces stats NS shows its work, cancel NS calls that off",
  ledger_unavailable: "wait: it passes by itself (docs/operations.md)",
  storage_unavailable: "wait: it passes by itself (docs/operations.md)",
  snapshot_not_found: "npx brink snapshot NS list shows those there are",
  snapshots_not_configured: "npm run deploy -- --snapshots binds a bucket",
  vectorize_not_configured: "npm run deploy -- --vectorize binds an index",
  generator_not_configured: "npm run deploy -- --generator binds the store of models",
  backend_not_configured: "docs/backends.md says how; locally npx brink dev --backend-url URL",
  backend_unavailable: "npx brink doctor shows the circuits; auto answers from the edge meanwhile",
  misconfigured: "set the variable right in wrangler.toml or as a secret, and deploy",
  storage_too_new: "docs/operations.md, Rolling back",
};

/** Null where the message says all there is to say, as it does of a wrong request. */
export function remedyFor(code: unknown): string | null {
  return REMEDIES[code as keyof typeof REMEDIES] ?? null;
}
