/** The options of `npm run deploy` and `npx brink deploy`. */
import type { CommandOption } from "../cli/command.ts";
import { ENVIRONMENTS, type Environment, OPTIONAL_WORKERS, STORES, type Store } from "./workers.ts";

export const DEPLOY_OPTIONS: Record<string, CommandOption> = {
  env: {
    type: "string",
    value: "NAME",
    choices: ENVIRONMENTS,
    help: "production (the default) or staging, which have nothing in common",
  },
  "dry-run": { type: "boolean", help: "build and weigh only, all Workers: needs no account" },
  generator: { type: "boolean", help: "with the Worker for language models" },
  onnx: { type: "boolean", help: "with the Worker for ONNX models" },
  snapshots: { type: "boolean", help: "with a bucket for the memory's snapshots" },
  vectorize: { type: "boolean", help: "with a Vectorize index for namespaces that want one" },
  analytics: { type: "boolean", help: "with a data set of Workers Analytics Engine" },
  "no-check": {
    type: "boolean",
    help: "neither ask the deployment a question nor make a first key to ask with",
  },
};

export interface DeployPlan {
  environment: Environment;
  dryRun: boolean;
  optional: string[];
  stores: Store[];
  check: boolean;
}

/** What is to be done, by the options. A dry run that names no part is of all. */
export function planOf(values: Record<string, string | boolean | undefined>): DeployPlan {
  const named = (names: string[]) => names.filter((name) => values[name] === true);
  const [workers, stores] = [Object.keys(OPTIONAL_WORKERS), Object.keys(STORES) as Store[]];
  const asked = { optional: named(workers), stores: named(stores) as Store[] };
  const dryRun = values["dry-run"] === true;
  const all = dryRun && asked.optional.length === 0 && asked.stores.length === 0;
  return {
    environment: (values.env ?? "production") as Environment,
    dryRun,
    check: values["no-check"] !== true,
    ...(all ? { optional: workers, stores } : asked),
  };
}
