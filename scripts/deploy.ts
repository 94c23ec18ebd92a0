/** `npm run deploy [-- OPTIONS]`: from an account to a URL that answers. Looks who is logged in,
 *  builds, weighs, makes the stores that are asked for and missing, deploys (the optional Workers
 *  first, since the main one is bound to them; the models of models/ go along as assets), sets the
 *  first key, and asks a question. Each step can be done again: after a failure, call it again. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { checkLogin, makeStores, setFirstKey } from "./deploy-account.ts";
import { checkAnswer, checkHealth, curlLine, makeFirstKey } from "./deploy-check.ts";
import { DEPLOY_OPTIONS, type DeployPlan, planOf } from "./deploy-options.ts";
import { checkSizes } from "./sizes.ts";
import {
  ENVIRONMENTS,
  environmentFlags,
  OPTIONAL_WORKERS,
  storesOf,
  writeMainConfig,
} from "./workers.ts";
import { DeployError, expectDone } from "./wrangler.ts";

interface Deployed {
  environment: string;
  /** Null after a dry run. */
  url: string | null;
  version: string | null;
  made: string[];
  /** The administrator's first key, where one was set, and the first one that may only ask. */
  key: string | null;
  inference_key: string | null;
  answer: string | null;
}

const say = (line: string) => console.error(line);
const json = process.argv.includes("--json");
try {
  const deployed = await deploy(readPlan());
  if (json) console.log(JSON.stringify(deployed, null, 2));
  else if (deployed.url !== null) console.log(describe(deployed, deployed.url));
} catch (error) {
  if (!(error instanceof DeployError)) throw error;
  const { message, remedy } = error;
  if (json) console.log(JSON.stringify({ error: { message, code: null, remedy } }));
  say(message);
  if (remedy !== null) say(remedy);
  process.exitCode = 1;
}

/** Throws DeployError for options that there are not. */
function readPlan(): DeployPlan {
  try {
    const { values } = parseArgs({ options: { ...DEPLOY_OPTIONS, json: { type: "boolean" } } });
    const plan = planOf(values as Record<string, string | boolean | undefined>);
    if (ENVIRONMENTS.includes(plan.environment)) return plan;
    throw new Error(`--env is ${ENVIRONMENTS.join(" or ")}, not ${plan.environment}`);
  } catch (error) {
    const { message } = error as Error;
    throw new DeployError(message, "npx brink help deploy lists the options");
  }
}

function build(): void {
  const script = join(import.meta.dirname, "build.ts");
  try {
    execFileSync(process.execPath, [script], { stdio: ["ignore", 2, 2] });
  } catch {
    throw new DeployError("the build failed, as it says above: nothing was deployed");
  }
}

async function deploy(plan: DeployPlan): Promise<Deployed> {
  const { environment, optional, stores, dryRun } = plan;
  if (!dryRun) say(`as ${await checkLogin()}, to ${environment}`);
  build();
  const flags = environmentFlags(environment);
  const main = writeMainConfig(optional, stores, environment);
  const configs = [...optional.map((worker) => OPTIONAL_WORKERS[worker]!.config), main];
  await checkSizes(configs, flags, say);
  const nothing = {
    url: null,
    version: null,
    made: [],
    key: null,
    inference_key: null,
    answer: null,
  };
  if (dryRun) return { environment, ...nothing };
  const made = await makeStores(storesOf(optional, stores), environment);
  for (const name of made) say(`made ${name}`);
  let deployed = { url: "", version: null as string | null };
  for (const config of configs) deployed = await deployWorker(config, flags);
  const { url, version } = deployed;
  if (url === "")
    throw new DeployError(
      "it is deployed, but has no address: wrangler.toml needs workers_dev or a route",
    );
  const key = await setFirstKey(main, environment);
  if (key !== null) tellKey(key);
  const answer = plan.check ? await check(url, key ?? process.env.BRINK_KEY ?? null) : null;
  const inference_key = key !== null && plan.check ? await makeFirstKey(url, key) : null;
  return { environment, url, version, made, key, inference_key, answer };
}

async function deployWorker(config: string, flags: readonly string[]) {
  const args = ["deploy", "--config", config, ...flags, "--minify"];
  const { told } = await expectDone(`deploying ${config}`, args);
  const done = told.find(({ type }) => type === "deploy");
  const target = done?.targets?.find((one) => /^(https?:\/\/)?[\w.-]+(:\d+)?(\/|$| )/.test(one));
  return { url: target === undefined ? "" : addressOf(target), version: done?.version_id ?? null };
}

/** `https://HOST` of a target, which is a URL, or a host with remarks on it. */
function addressOf(target: string): string {
  const [first = ""] = target.split(" ");
  const url = /^https?:/.test(first) ? first : `https://${first}`;
  return url.replace(/[/*]+$/, "");
}

/** At once, and not at the end: should a later step fail, it could not be told again. */
function tellKey(key: string): void {
  say(`\nthe administrator's key, which is shown this once and kept nowhere:\n\n    ${key}\n`);
}

async function check(url: string, key: string | null): Promise<string | null> {
  say(`waiting for ${url} ...`);
  await checkHealth(url);
  if (key !== null) return checkAnswer(url, key);
  say("it is healthy; with BRINK_KEY set to its admin key, it would be asked a question as well");
  return null;
}

function describe(deployed: Deployed, url: string): string {
  const { key, inference_key, answer, environment } = deployed;
  const profile = `npx brink init --profile ${environment} --url ${url}`;
  return `${answer === null ? "deployed" : `deployed, and it answers: ${answer}`}

url   ${url}
key   ${inference_key ?? "npx brink keys create makes one"} (to ask with)
try   ${curlLine(url, inference_key ?? key)}
next  ${profile}    # asks for the administrator's key, unseen
      npx brink ingest FOLDER --namespace NS --create`;
}
