/** `brink router set` and `brink router forget`: what the router aims for, and what it records. */
import type { RouterState } from "../src/pipeline/learning-types.ts";
import type { Target } from "../src/router/target.ts";
import { connect } from "./client.ts";
import {
  type Command,
  CommandError,
  numberOf,
  SERVICE_OPTIONS,
  UsageError,
  type Values,
} from "./command.ts";
import { parseObject } from "./namespaces.ts";
import { describeState } from "./router-state.ts";
import { readState } from "./router-status.ts";
import { countOfAnswers } from "./table.ts";

/** Options that are a target each, and the target's field. */
const TARGETS = {
  "max-risk": "max_risk",
  "backend-share": "backend_share",
  "budget-usd-per-1k": "budget_usd_per_1k",
} as const;
const SWITCHES = { "keep-text": "keep_text", "auto-calibrate": "auto_calibrate" } as const;

export const routerSet: Command = {
  name: "router set",
  args: "",
  summary: "Set what the router aims for and what it records: what is named changes.",
  description:
    "A target is a risk, a share or a budget. --max-risk keeps the confidence that was set;\n" +
    "--target sets both anew. --shadow-rate has answers compared with a backend's, which is\n" +
    "paid for: these are the labels that router calibrate takes.",
  options: {
    "max-risk": {
      type: "string",
      value: "N",
      help: "the greatest share of wrong answers among those that the edge gives, 0 to 1",
    },
    "backend-share": {
      type: "string",
      value: "N",
      help: "the share of questions that a backend gets, 0 to 1",
    },
    "budget-usd-per-1k": {
      type: "string",
      value: "N",
      help: "what 1,000 questions may cost by the backend's prices",
    },
    target: {
      type: "string",
      value: "JSON",
      help: 'such as \'{"max_risk": 0.1, "confidence": 0.99}\'',
    },
    "shadow-rate": {
      type: "string",
      value: "N",
      help: "the share of questions that a backend is asked as well, 0 to 1",
    },
    "keep-text": {
      type: "string",
      value: "on|off",
      choices: ["on", "off"],
      help: "whether outcomes have their texts; off: those kept so far lose them",
    },
    "auto-calibrate": {
      type: "string",
      value: "on|off",
      choices: ["on", "off"],
      help: "whether enough compared answers make a new version by themselves",
    },
    ...SERVICE_OPTIONS,
  },
  async run(positionals, values) {
    if (positionals.length > 0) throw new UsageError(`unexpected ${positionals.join(" ")}`);
    const changes = changesOf(values);
    const client = connect(values);
    if (values["max-risk"] !== undefined) {
      const { target } = await readState(client);
      changes.target = { ...changes.target, ...confidenceOf(target) };
    }
    const state = (await client.call("PUT", "/admin/router", changes)) as RouterState;
    if (!values.json) console.log(describeState(state));
    return state;
  },
};

export const routerForget: Command = {
  name: "router forget",
  args: "--yes",
  summary: "Forget the recorded answers; labels and counts, which hold no text, stay.",
  options: {
    yes: { type: "boolean", help: "do it: ratings of these answers find them no more" },
    ...SERVICE_OPTIONS,
  },
  async run(positionals, values) {
    if (positionals.length > 0) throw new UsageError(`unexpected ${positionals.join(" ")}`);
    const client = connect(values);
    if (!values.yes) {
      const { outcomes } = await readState(client);
      throw new CommandError(
        `this forgets ${countOfAnswers(outcomes)} with their questions: add --yes`,
      );
    }
    const reply = (await client.call("DELETE", "/admin/router/outcomes")) as { deleted: number };
    if (!values.json) console.log(`forgot ${countOfAnswers(reply.deleted)}`);
    return reply;
  },
};

/** What stays of a target that gets another risk. */
function confidenceOf(target: Target): { confidence?: number } {
  return "max_risk" in target && target.confidence !== undefined
    ? { confidence: target.confidence }
    : {};
}

interface Changes {
  target?: object;
  [field: string]: unknown;
}

function changesOf(values: Values): Changes {
  const changes: Changes = {};
  const targets = ["target", ...Object.keys(TARGETS)].filter((name) => values[name] !== undefined);
  if (targets.length > 1)
    throw new UsageError(`a router has one target, not --${targets.join(" and --")}`);
  if (values.target !== undefined) changes.target = parseObject("target", String(values.target));
  for (const [option, field] of Object.entries(TARGETS))
    if (values[option] !== undefined)
      changes.target = { [field]: numberOf(option, String(values[option])) };
  if (values["shadow-rate"] !== undefined)
    changes.shadow_rate = numberOf("shadow-rate", String(values["shadow-rate"]));
  for (const [option, field] of Object.entries(SWITCHES))
    if (values[option] !== undefined) changes[field] = values[option] === "on";
  if (Object.keys(changes).length === 0)
    throw new UsageError("name what changes: a target, --shadow-rate, --keep-text, ...");
  return changes;
}
