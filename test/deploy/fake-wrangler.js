// Stands in for wrangler in test/deploy/deploy.test.ts, which names it by BRINK_WRANGLER: no test
// deploys to an account. It notes how it was called, and does to the account of FAKE_ACCOUNT, a
// JSON file, what the real one would do to Cloudflare's, as far as a deployment asks for it.
import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const args = process.argv.slice(2);
const path = process.env.FAKE_ACCOUNT;
const account = JSON.parse(readFileSync(path, "utf8"));
const input = args[1] === "put" ? readFileSync(0, "utf8") : null;
const call = args.join(" ");
appendFileSync(`${path}.calls`, `${JSON.stringify({ args, input })}\n`);

const save = () => writeFileSync(path, JSON.stringify(account));
const tell = (entry) =>
  appendFileSync(process.env.WRANGLER_OUTPUT_FILE_PATH, `${JSON.stringify(entry)}\n`);
const valueAfter = (flag) => args[args.indexOf(flag) + 1];

for (const [pattern, message] of Object.entries(account.failures ?? {}))
  if (new RegExp(pattern).test(call)) {
    tell({ type: "command-failed", version: 1, message });
    process.exit(1);
  }

if (call === "whoami --json") {
  if (!account.email) process.exit(1);
  console.log(JSON.stringify({ loggedIn: true, email: account.email, accounts: account.accounts }));
} else if (call === "r2 bucket list") {
  console.log("Listing buckets...");
  console.log(
    account.buckets.map((name) => `name:           ${name}\ncreation_date:  x`).join("\n\n"),
  );
} else if (call.startsWith("r2 bucket create ")) {
  account.buckets.push(args[3]);
  save();
} else if (call === "vectorize list --json") {
  console.log(JSON.stringify(account.indexes.map((name) => ({ name }))));
} else if (call.startsWith("vectorize create ")) {
  account.indexes.push(args[2]);
  save();
} else if (args[0] === "deploy" && args.includes("--dry-run")) {
  const out = valueAfter("--outdir");
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, "worker.js"), randomBytes(account.codeBytes ?? 10));
} else if (args[0] === "deploy") {
  const main = readFileSync(valueAfter("--config"), "utf8").includes('name = "brink"\n');
  account.deployed = true;
  save();
  tell({ type: "deploy", version_id: "v-1", targets: main ? account.targets : [] });
} else if (call.startsWith("secret list ")) {
  console.log(JSON.stringify(Object.keys(account.secrets).map((name) => ({ name }))));
} else if (call.startsWith("secret put ")) {
  account.secrets[args[2]] = input;
  save();
} else {
  console.error(`the fake wrangler does not know ${call}`);
  process.exit(1);
}
