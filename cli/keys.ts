/** `brink keys`: create, list, change the limits, show the use, rotate, revoke. */
import { connect } from "./client.ts";
import {
  type Command,
  type CommandOption,
  countOf,
  numberOf,
  SERVICE_OPTIONS,
  UsageError,
  type Values,
} from "./command.ts";
import { CLI_ROTATE_GRACE_S_MAX, CLI_USAGE_DAYS, CLI_USAGE_DAYS_MAX } from "./limits.ts";
import { showTime, table } from "./table.ts";

interface Counts {
  requests: number;
  refused: number;
  prompt_tokens: number;
  completion_tokens: number;
  cost_usd: number;
}

interface Key {
  id: string;
  name: string | null;
  tenant: string;
  scopes: string[];
  namespaces: string[] | null;
  default_namespace: string | null;
  expires_at: number | null;
  disabled: boolean;
  requests_per_minute: number | null;
  tokens_per_minute: number | null;
  budget_usd: number | null;
  budget_period: string;
  usage?: (Counts & { last_day: string }) | null;
}

interface KeyUsage {
  days: (Counts & { day: string })[];
  budget: {
    budget_usd: number;
    budget_period: string;
    spent_usd: number;
    held_usd: number;
    remaining_usd: number;
    resets_at: number | null;
  } | null;
}

/** What both making and changing a key may set. */
const SETTINGS: Record<string, CommandOption> = {
  name: { type: "string", value: "TEXT", help: "what people call it" },
  scopes: {
    type: "string",
    value: "A,B",
    help: "of inference, memory:write, admin:read and admin",
  },
  namespaces: { type: "string", value: "A,B", help: "those that it may read; all: every one" },
  "default-namespace": { type: "string", value: "NS", help: "where a chat looks that names none" },
  expires: { type: "string", value: "TIME", help: "ISO 8601, like 2030-01-01T00:00:00Z; or never" },
  rpm: { type: "string", value: "N", help: "requests a minute, or none" },
  tpm: { type: "string", value: "N", help: "tokens a minute, or none" },
  budget: { type: "string", value: "USD", help: "what its answers may cost, or none" },
  period: { type: "string", value: "PERIOD", help: "the budget's: day, month or total" },
};

export const keysCreate: Command = {
  name: "keys create",
  args: "",
  summary: "Make a key and show it, this once.",
  options: {
    ...SETTINGS,
    tenant: {
      type: "string",
      value: "NAME",
      help: "another tenant's, which the operator may make, and that tenant's admins alone tend",
    },
    ...SERVICE_OPTIONS,
  },
  async run(positionals, values) {
    if (positionals.length > 0) throw new UsageError("name nothing beside the options");
    const tenant = values.tenant === undefined ? {} : { tenant: values.tenant };
    const body = { ...settingsOf(values), ...tenant };
    const key = (await connect(values).call("POST", "/admin/keys", body)) as NewKey;
    showNew(key, values);
    if (!values.json && key.scopes.includes("inference") && key.default_namespace === null)
      console.error(
        "it has no default namespace: what it asks must name memory.namespace to be answered\n" +
          `from memory, or npx brink keys limits ${key.id} --default-namespace NS sets one`,
      );
    if (!values.json && values.tenant !== undefined) console.error(remarkTenant(key));
    return key;
  },
};

/** Who made a tenant's key is not who may end it. */
function remarkTenant({ tenant, scopes }: Key): string {
  const make = `npx brink keys create --tenant ${tenant} --scopes admin makes one`;
  return (
    `keys of tenant ${tenant} are listed, changed and revoked with its own admin keys alone:\n` +
    (scopes.includes("admin") ? "this is one" : make)
  );
}

export const keysList: Command = {
  name: "keys list",
  args: "",
  summary: "List the keys with their limits and what they used in 30 days.",
  options: SERVICE_OPTIONS,
  async run(_, values) {
    const reply = (await connect(values).call("GET", "/admin/keys")) as { keys: Key[] };
    if (values.json) return reply;
    const head = [
      ...["id", "name", "scopes", "namespaces", "limits"],
      ...["requests", "USD", "last used"],
    ];
    const rows = reply.keys.map((key) => [
      ...[key.id, key.name ?? "", key.scopes.join(" "), showNamespaces(key), showLimits(key)],
      ...[key.usage?.requests ?? 0, showUsd(key.usage?.cost_usd ?? 0), key.usage?.last_day ?? "-"],
    ]);
    console.log(reply.keys.length === 0 ? "no keys" : table([head, ...rows]));
    return reply;
  },
};

export const keysLimits: Command = {
  name: "keys limits",
  args: "ID",
  summary: "Change a key: what is named, the rest stays.",
  description: "It takes effect everywhere within 30 seconds.",
  options: {
    ...SETTINGS,
    disable: { type: "boolean", help: "refuse the key until --enable" },
    enable: { type: "boolean", help: "take the key again" },
    ...SERVICE_OPTIONS,
  },
  async run(positionals, values) {
    const path = keyPath(positionals);
    if (values.enable && values.disable) throw new UsageError("--enable or --disable, not both");
    const changes = {
      ...settingsOf(values),
      ...(values.disable ? { disabled: true } : values.enable ? { disabled: false } : {}),
    };
    if (Object.keys(changes).length === 0) throw new UsageError("name what is to change");
    const key = (await connect(values).call("PATCH", path, changes)) as Key;
    if (!values.json) console.log(`${key.id}  ${key.scopes.join(" ")}  ${showLimits(key)}`);
    return key;
  },
};

export const keysUsage: Command = {
  name: "keys usage",
  args: "[ID]",
  summary: "Show what a key, or all of the tenant's, used by the day, and the budget's state.",
  options: {
    days: { type: "string", value: "N", help: `how far back (${CLI_USAGE_DAYS})` },
    ...SERVICE_OPTIONS,
  },
  async run(positionals, values) {
    const days = countOf(values, "days", CLI_USAGE_DAYS, 1, CLI_USAGE_DAYS_MAX);
    const path = positionals.length === 0 ? "/admin" : keyPath(positionals);
    const usage = (await connect(values).call("GET", `${path}/usage?days=${days}`)) as KeyUsage;
    if (values.json) return usage;
    const head = ["day", "requests", "refused", "prompt tokens", "answer tokens", "USD"];
    const rows = usage.days.map((day) => [
      ...[day.day, day.requests, day.refused, day.prompt_tokens, day.completion_tokens],
      showUsd(day.cost_usd),
    ]);
    console.log(rows.length === 0 ? `nothing in ${days} days` : table([head, ...rows]));
    if (usage.budget) console.log(`\n${describeBudget(usage.budget)}`);
    return usage;
  },
};

export const keysRotate: Command = {
  name: "keys rotate",
  args: "ID",
  summary: "Give a key another text and show it, this once.",
  options: {
    grace: { type: "string", value: "SECONDS", help: "how long the old text works beside it (0)" },
    ...SERVICE_OPTIONS,
  },
  async run(positionals, values) {
    const grace_seconds = countOf(values, "grace", 0, 0, CLI_ROTATE_GRACE_S_MAX);
    const path = `${keyPath(positionals)}/rotate`;
    const key = (await connect(values).call("POST", path, { grace_seconds })) as NewKey;
    return showNew(key, values);
  },
};

export const keysRevoke: Command = {
  name: "keys revoke",
  args: "ID",
  summary: "End a key, everywhere within 30 seconds.",
  options: SERVICE_OPTIONS,
  async run(positionals, values) {
    const reply = await connect(values).call("DELETE", keyPath(positionals));
    if (!values.json) console.log(`revoked ${positionals[0]}`);
    return reply;
  },
};

type NewKey = Key & { key: string };

/** Its text on a line of its own, so that a script can take it. */
function showNew(key: NewKey, values: Values): NewKey {
  if (values.json) return key;
  console.error(`key ${key.id} of tenant ${key.tenant}; it is shown this once:`);
  console.log(key.key);
  return key;
}

function keyPath([id, ...more]: string[]): string {
  if (id === undefined || more.length > 0) throw new UsageError("name one key by its id");
  return `/admin/keys/${encodeURIComponent(id)}`;
}

/** The options as the service's fields; its own checks say what does not fit. */
function settingsOf(values: Values): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  const set = (option: string, field: string, none: string, read: (text: string) => unknown) => {
    const text = values[option];
    if (text !== undefined) settings[field] = text === none ? null : read(String(text));
  };
  const number = (option: string) => (text: string) => numberOf(option, text, "none");
  const list = (text: string) => text.split(",").map((part) => part.trim());
  set("name", "name", "", String);
  set("scopes", "scopes", "", list);
  set("namespaces", "namespaces", "all", list);
  set("default-namespace", "default_namespace", "none", String);
  set("expires", "expires_at", "never", String);
  set("rpm", "requests_per_minute", "none", number("rpm"));
  set("tpm", "tokens_per_minute", "none", number("tpm"));
  set("budget", "budget_usd", "none", number("budget"));
  set("period", "budget_period", "", String);
  return settings;
}

function showLimits(key: Key): string {
  const limits = [
    key.requests_per_minute === null ? "" : `${key.requests_per_minute} requests/min`,
    key.tokens_per_minute === null ? "" : `${key.tokens_per_minute} tokens/min`,
    key.budget_usd === null ? "" : `USD ${key.budget_usd} ${PERIODS[key.budget_period]}`,
    key.expires_at === null ? "" : showEnd(key.expires_at, Date.now()),
    key.disabled ? "disabled" : "",
  ].filter((limit) => limit !== "");
  return limits.length === 0 ? "none" : limits.join(", ");
}

function showEnd(unixMs: number, nowMs: number): string {
  return `${unixMs <= nowMs ? "expired" : "until"} ${showTime(unixMs)}`;
}

/** Those that a key may read, and where a question looks that names none. */
function showNamespaces({ namespaces, default_namespace }: Key): string {
  const all = namespaces === null ? "all" : namespaces.join(" ");
  return default_namespace === null ? all : `${all}, default ${default_namespace}`;
}

const PERIODS: Record<string, string> = { day: "a day", month: "a month", total: "in all" };

function describeBudget(budget: NonNullable<KeyUsage["budget"]>): string {
  const { budget_usd, budget_period, spent_usd, held_usd, remaining_usd, resets_at } = budget;
  const anew = resets_at === null ? "" : `; it begins anew at ${showTime(resets_at)}`;
  return (
    `of USD ${budget_usd} ${PERIODS[budget_period]}, ${showUsd(spent_usd)} are spent, ` +
    `${showUsd(held_usd)} held and ${showUsd(remaining_usd)} left${anew}`
  );
}

function showUsd(usd: number): string {
  return usd.toFixed(6);
}
