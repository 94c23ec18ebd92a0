/** `npm run deploy`, with a fake wrangler and a fake deployment: the order of the calls, their
 *  arguments, and what is said when something fails. The real wrangler is called by the dry run. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { experimental_getWranglerCommands as wranglerCommands } from "wrangler";
import { checkAnswer, checkHealth } from "../../scripts/deploy-check.ts";
import { runBrink } from "../support/brink-cli.ts";

interface Account {
  email: string | null;
  accounts: { id: string; name: string }[];
  buckets: string[];
  indexes: string[];
  secrets: Record<string, string>;
  targets: string[];
  codeBytes?: number;
  failures?: Record<string, string>;
}

// Each of these starts several programs, which a busy machine may take its time for.
vi.setConfig({ testTimeout: 90_000 });

let folder: string;
let path: string;
let server: Server;
let url: string;
/** What the deployment was asked, and what it answers to the question. */
let asked: string[];
let answer: string;
/** Replies to give first, whatever is asked. */
let troubles: [status: number, code: string][];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "brink-deploy-"));
  path = join(folder, "account.json");
  asked = [];
  answer = "heliotrope\n\nmore";
  troubles = [];
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const key = request.headers.authorization?.replace("Bearer ", "") ?? "";
    const hash = createHash("sha256").update(key).digest("hex");
    const known = request.url === "/healthz" || account().secrets.BRINK_ADMIN_KEY_SHA256 === hash;
    const [status, code] = troubles.shift() ?? (known ? [200, ""] : [401, "invalid_key"]);
    const body = { choices: [{ message: { content: answer } }], key: "brink-first" };
    const error = { error: { message: "trouble", code } };
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(status === 200 ? body : error));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const account = () => JSON.parse(readFileSync(path, "utf8")) as Account;
const ADMIN_KEY = "brink-known";
const KNOWN = {
  BRINK_ADMIN_KEY_SHA256: createHash("sha256").update(ADMIN_KEY).digest("hex"),
};

/** Deploys with this account; what wrangler was called with, and what was printed. */
async function deploy(args: string[], changes: Partial<Account> = {}, env = {}) {
  const fresh: Account = {
    email: "op@example.com",
    accounts: [{ id: "a1", name: "Acme" }],
    buckets: [],
    indexes: [],
    secrets: {},
    targets: [url],
  };
  writeFileSync(path, JSON.stringify({ ...fresh, ...changes }));
  const fakes = {
    BRINK_WRANGLER: join(import.meta.dirname, "fake-wrangler.js"),
    FAKE_ACCOUNT: path,
    CLOUDFLARE_ACCOUNT_ID: "",
    BRINK_KEY: "",
  };
  const ended = await runBrink(["deploy", ...args], { ...fakes, ...env });
  const lines = readFileSync(`${path}.calls`, "utf8").trim().split("\n");
  rmSync(`${path}.calls`);
  const calls = lines.map((line) => JSON.parse(line) as { args: string[]; input: string | null });
  const shown = calls.map(({ args }) =>
    args.map((word) => (word.includes("build/deploy") ? "OUT" : word || '""')).join(" "),
  );
  return { ...ended, calls, shown };
}

/** What of a call the real wrangler, of the version that is installed, does not know. */
function strangeTo(args: readonly string[]): string[] {
  interface Command {
    definition?: {
      args?: Record<string, { demandOption?: boolean }>;
      positionalArgs?: string[];
    };
    subtree: Map<string, Command>;
  }
  const { registry, globalFlags } = wranglerCommands();
  let command = registry as unknown as Command;
  let words = args;
  while (words.length > 0 && command.subtree.has(words[0]!)) {
    command = command.subtree.get(words[0]!)!;
    words = words.slice(1);
  }
  const { args: known = {}, positionalArgs = [] } = command.definition ?? {};
  const flags = words.filter((word) => word.startsWith("--")).map((word) => word.slice(2));
  const names = flags.map((flag) => flag.split("=")[0]!);
  const strange = names.filter((name) => !(name in known) && !(name in globalFlags));
  const places = words.findIndex((word) => word.startsWith("--"));
  const plain = places === -1 ? words.length : places;
  const needed = positionalArgs.filter((name) => known[name]?.demandOption === true).length;
  const taken = plain >= needed && plain <= positionalArgs.length;
  const fits = command.definition?.args !== undefined && taken;
  return fits ? strange : [args.join(" "), ...strange];
}

it("a call that wrangler does not know is told from one that it knows", () => {
  expect(strangeTo(["r2", "bucket", "create", "x"])).toEqual([]);
  expect(strangeTo(["r2", "bucket", "make", "x"])).toEqual(["r2 bucket make x"]);
  expect(strangeTo(["r2", "bucket", "create"])).toEqual(["r2 bucket create"]);
  expect(strangeTo(["deploy", "--minify", "--small"])).toEqual(["small"]);
});

it("all of staging: login, sizes, stores, Workers, key, question, in this order", async () => {
  const parts = ["--generator", "--snapshots", "--vectorize"];
  const { code, out, said, calls, shown } = await deploy(["--env", "staging", "--json", ...parts], {
    buckets: ["brink-models", "brink-models-staging"],
  });
  const main = "wrangler.with-generator-snapshots-vectorize-staging.toml";
  const dry = "--env staging --minify --dry-run --outdir OUT";
  expect(shown).toEqual([
    "whoami --json",
    `deploy --config wrangler.generator.toml ${dry}`,
    `deploy --config ${main} ${dry}`,
    "r2 bucket list",
    "r2 bucket create brink-snapshots-staging",
    "vectorize list --json",
    "vectorize create brink-vectors-staging --dimensions=384 --metric=cosine",
    "deploy --config wrangler.generator.toml --env staging --minify",
    `deploy --config ${main} --env staging --minify`,
    `secret list --config ${main} --env staging`,
    `secret put BRINK_ADMIN_KEY_SHA256 --config ${main} --env staging`,
  ]);
  expect(calls.flatMap(({ args }) => strangeTo(args))).toEqual([]);
  const deployed = JSON.parse(out);
  expect(deployed).toMatchObject({ environment: "staging", url, version: "v-1" });
  expect(deployed.answer).toBe("heliotrope");
  expect(deployed.made).toEqual(["brink-snapshots-staging", "brink-vectors-staging"]);
  expect(deployed.key).toMatch(/^brink-[\w-]{32}$/);
  const hash = createHash("sha256").update(deployed.key).digest("hex");
  expect(calls.at(-1)!.input).toBe(hash); // the key itself is handed to nobody
  expect(JSON.stringify(calls)).not.toContain(deployed.key);
  expect(asked).toEqual([
    "GET /healthz",
    "PUT /admin/namespaces/deployment",
    "POST /admin/namespaces/deployment/documents",
    "POST /v1/chat/completions",
    "POST /admin/keys",
  ]);
  expect(deployed.inference_key).toBe("brink-first");
  expect([code, said]).toEqual([0, expect.stringContaining(deployed.key)]);
});

it("production alone makes nothing, keeps the key there is, and prints a call to try", async () => {
  const args: string[] = [];
  const { code, out, said, shown } = await deploy(
    args,
    { secrets: KNOWN },
    { BRINK_KEY: ADMIN_KEY },
  );
  const dry = '--env "" --minify --dry-run --outdir OUT';
  expect(shown).toEqual([
    "whoami --json",
    `deploy --config wrangler.toml ${dry}`,
    'deploy --config wrangler.toml --env "" --minify',
    'secret list --config wrangler.toml --env ""',
  ]);
  expect(out).toContain(
    `try   curl -s ${url}/v1/chat/completions -H "authorization: Bearer $BRINK_KEY"`,
  );
  expect(out).toMatch(new RegExp(`^next  npx brink init --profile production --url ${url} `, "m"));
  expect(out).not.toContain("BRINK_KEY="); // it would stand in the shell's history
  expect(asked).not.toContain("POST /admin/keys");
  expect(out).toContain("it answers: heliotrope");
  expect(out + said).not.toContain(ADMIN_KEY);
  expect(code).toBe(0);
});

it("what is missing in the account is told before anything is built or changed", async () => {
  const nobody = await deploy([], { email: null });
  expect([nobody.code, nobody.shown]).toEqual([1, ["whoami --json"]]);
  expect(nobody.said).toContain("call npx wrangler login once");
  const two = [
    { id: "a1", name: "Acme" },
    { id: "b2", name: "Bolt" },
  ];
  const several = await deploy(["--json"], { accounts: two });
  expect([several.code, several.shown]).toEqual([1, ["whoami --json"]]);
  const { error } = JSON.parse(several.out);
  expect([error.message, error.remedy]).toEqual([
    expect.stringContaining("set CLOUDFLARE_ACCOUNT_ID"),
    null, // the message says what to do
  ]);
  const unknown = await runBrink(["deploy", "--env", "testing"]);
  expect([unknown.code, unknown.said]).toEqual([
    2,
    expect.stringContaining("--env is production or staging"),
  ]);
});

it("an option that there is not is told in one line", () => {
  const script = join(import.meta.dirname, "../../scripts/deploy.ts");
  for (const [args, why] of [
    [["--stagging"], "Unknown option '--stagging'"],
    [["--env", "testing"], "--env is production or staging, not testing"],
  ] as const) {
    const { status, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: "utf8" });
    expect([status, stderr]).toEqual([1, expect.stringContaining(why)]);
    expect(stderr).not.toContain("    at ");
  }
});

it("code over the limit is not deployed", async () => {
  const { code, said, shown } = await deploy([], { codeBytes: 3_100_000 });
  expect([code, said]).toEqual([1, expect.stringContaining("is over the platform's limit")]);
  expect(shown.filter((call) => !call.includes("--dry-run"))).toEqual(["whoami --json"]);
});

it("each failure of the platform's says what to do", async () => {
  const r2 = await deploy(["--snapshots"], { failures: { "r2 bucket list": "enable R2 [10042]" } });
  expect([r2.code, r2.said]).toEqual([1, expect.stringContaining("Enable R2 once")]);
  expect(r2.shown.some((call) => /^deploy(?!.*--dry-run)/.test(call))).toBe(false);
  const failures = { "^deploy.*--minify$": "You need to register a workers.dev subdomain" };
  const domain = await deploy(["--json"], { failures });
  expect(JSON.parse(domain.out)).toEqual({
    error: {
      message: expect.stringContaining("wrangler deploy exited with 1: You need to register"),
      code: null,
      remedy: expect.stringMatching(/^Register a workers.dev subdomain once/),
    },
  });
  expect([domain.code, domain.said]).toEqual([
    1,
    expect.stringContaining("register a workers.dev subdomain\nRegister a workers.dev subdomain"),
  ]);
  answer = "no idea";
  const wrong = await deploy([]);
  expect(wrong.code).toBe(1);
  expect(wrong.said).toMatch(
    /shown this once[\s\S]*brink-[\w-]{32}[\s\S]*answers its question wrongly/,
  );
});

it("a deployment that has not settled is waited for, though not for ever", async () => {
  writeFileSync(path, JSON.stringify({ secrets: KNOWN }));
  const soon = { pauseMs: 5, settleMsMax: 2_000 };
  troubles = [
    [404, ""],
    [503, "starting"],
  ];
  await checkHealth(url, soon);
  expect(asked).toHaveLength(3);
  troubles = [
    [401, "no_keys_configured"],
    [401, "invalid_key"],
  ];
  expect(await checkAnswer(url, ADMIN_KEY, soon)).toBe("heliotrope");
  troubles = [[403, "forbidden"]];
  await expect(checkAnswer(url, ADMIN_KEY, soon)).rejects.toThrow(
    "answers 403: trouble (forbidden)",
  );
  const never = { pauseMs: 5, settleMsMax: 20 };
  await expect(checkAnswer(url, "wrong", never)).rejects.toThrow("invalid_key");
  await expect(checkHealth("http://127.0.0.1:9", never)).rejects.toThrow("does not answer");
});
