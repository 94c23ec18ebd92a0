/** What of a Cloudflare account a deployment needs: a login, its stores, the first key. */
import { createHash, randomBytes } from "node:crypto";
import { type Environment, environmentFlags, nameIn, type StoreBinding } from "./workers.ts";
import { DeployError, expectDone, wrangler } from "./wrangler.ts";

/** The encoder's. Embeddings that callers bring have as many, or Vectorize refuses them. */
const DIMENSIONS = 384;
export const KEY_SECRET = "BRINK_ADMIN_KEY_SHA256";

/** Whose account it is, for people. Throws DeployError where nobody is logged in, and where there
 *  are several accounts and none is chosen. */
export async function checkLogin(): Promise<string> {
  const { code, out } = await wrangler(["whoami", "--json"], { capture: true });
  const user = code === 0 ? parse<{ email?: string; accounts?: Account[] }>(out) : null;
  if (user === null)
    throw new DeployError(
      "nobody is logged in: call npx wrangler login once, or set CLOUDFLARE_API_TOKEN",
    );
  const accounts = user.accounts ?? [];
  const chosen = process.env.CLOUDFLARE_ACCOUNT_ID;
  if (accounts.length > 1 && !chosen) {
    const list = accounts.map(({ id, name }) => `  ${id}  ${name}`).join("\n");
    throw new DeployError(`set CLOUDFLARE_ACCOUNT_ID to one of these accounts:\n${list}`);
  }
  const account = accounts.find(({ id }) => id === chosen) ?? accounts[0];
  return `${user.email ?? "a token"}, account ${account?.name ?? chosen ?? "unknown"}`;
}

interface Account {
  id: string;
  name: string;
}

function parse<T>(text: string): T | null {
  try {
    return JSON.parse(text) as T;
  } catch {
    return null;
  }
}

/** Makes those stores that are missing; the names of those it made. */
export async function makeStores(
  stores: readonly StoreBinding[],
  environment: Environment,
): Promise<string[]> {
  const made: string[] = [];
  for (const kind of ["r2_buckets", "vectorize"] as const) {
    // a data set makes itself
    const wanted = stores.filter((store) => store.kind === kind);
    if (wanted.length === 0) continue;
    const there = kind === "vectorize" ? await listIndexes() : await listBuckets();
    for (const { name } of wanted.map(({ name }) => ({ name: nameIn(environment, name) }))) {
      if (there.includes(name)) continue;
      await expectDone(`making ${name}`, createArgs(kind, name), { capture: true });
      made.push(name);
    }
  }
  return made;
}

function createArgs(kind: StoreBinding["kind"], name: string): string[] {
  if (kind === "r2_buckets") return ["r2", "bucket", "create", name];
  return ["vectorize", "create", name, `--dimensions=${DIMENSIONS}`, "--metric=cosine"];
}

/** wrangler has no other form of this list than `name:  NAME` lines for people. */
async function listBuckets(): Promise<string[]> {
  const { out } = await expectDone("listing the buckets", ["r2", "bucket", "list"], {
    capture: true,
  });
  return Array.from(out.matchAll(/^name:\s+(\S+)\s*$/gm), ([, name]) => name!);
}

async function listIndexes(): Promise<string[]> {
  const args = ["vectorize", "list", "--json"];
  const { out } = await expectDone("listing the indexes", args, { capture: true });
  const indexes = parse<{ name: string }[]>(out);
  if (indexes === null) throw new DeployError(`wrangler ${args.join(" ")} told no list: ${out}`);
  return indexes.map(({ name }) => name);
}

/** Gives a deployment without an administrator's key one; its text, which nobody can be told again,
 *  or null where there was one. Only its hash leaves this machine. */
export async function setFirstKey(
  config: string,
  environment: Environment,
): Promise<string | null> {
  const where = ["--config", config, ...environmentFlags(environment)];
  const listed = await expectDone("listing the secrets", ["secret", "list", ...where], {
    capture: true,
  });
  const secrets = parse<{ name: string }[]>(listed.out);
  if (secrets === null) throw new DeployError(`wrangler secret list told no list: ${listed.out}`);
  if (secrets.some(({ name }) => name === KEY_SECRET)) return null;
  const key = `brink-${randomBytes(24).toString("base64url")}`;
  const hash = createHash("sha256").update(key).digest("hex");
  await expectDone("setting the first key", ["secret", "put", KEY_SECRET, ...where], {
    input: hash,
  });
  return key;
}
