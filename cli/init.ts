/** `brink init`: writes down where a service is and its key, and a local run's backend. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LOCAL_URL, serviceUrl } from "./address.ts";
import { ask, askSecret, mayAsk } from "./asking.ts";
import { type Command, CommandError, UsageError, type Values } from "./command.ts";
import {
  PROFILE_NAME,
  profilesPath,
  readProfiles,
  writeProfiles,
  writeSecret,
} from "./profiles.ts";
import { root } from "./run-script.ts";

interface Written {
  path: string;
  what: string;
  /** Whether something of the same name was there, and is no more. */
  replaced: boolean;
}

const LOCAL_KEYS = "the local keys";
const HEAD = "# Variables of local runs (npm start).";

export const init: Command = {
  name: "init",
  args: "",
  summary: "Write down where a service is and its key, and a local run's backend.",
  description:
    "What no option says is asked on a terminal, and has a default elsewhere. A profile is in\n" +
    "~/.config/brink/config.json (BRINK_CONFIG), a backend in the checkout's .dev.vars, which\n" +
    "npm start and brink dev read. Both are for their owner's eyes alone. Keys are asked for,\n" +
    "unseen, and stand in no history; BRINK_KEY and BACKEND_KEY, where those are set, are for\n" +
    "scripts.",
  options: {
    profile: { type: "string", value: "NAME", help: "what the service is called here (local)" },
    url: { type: "string", value: "URL", help: `where it is (${LOCAL_URL})` },
    "backend-url": { type: "string", value: "URL", help: "for local runs: a backend's /v1" },
    "backend-model": { type: "string", value: "MODEL", help: "what is asked of it" },
    yes: { type: "boolean", help: "ask nothing, and replace what is there" },
  },
  async run(positionals, values) {
    if (positionals.length > 0) throw new UsageError(`unexpected ${positionals.join(" ")}`);
    const asks = mayAsk() && !values.yes && !values.json;
    const written = [await writeProfile(values, asks), await writeBackend(values, asks)].filter(
      (one) => one !== null,
    );
    if (!values.json) {
      for (const { path, what, replaced } of written)
        console.log(`${replaced ? "replaced" : "wrote"} ${what} in ${path}`);
      console.log("npx brink doctor says whether all is well");
    }
    return { written };
  },
};

async function writeProfile(values: Values, asks: boolean): Promise<Written> {
  const path = profilesPath();
  const known = readProfiles(path);
  const name = await answer(values.profile, asks, "name of the service", "local");
  if (!PROFILE_NAME.test(name))
    throw new UsageError("--profile is a name of letters, digits, - and _, 64 at most");
  const before = known.profiles[name];
  const given = await answer(values.url, asks, "its URL", before?.url ?? LOCAL_URL);
  const url = serviceUrl(given);
  if (url === null)
    throw new UsageError(`--url is an http or https URL, not ${JSON.stringify(given)}`);
  const same = before !== undefined && serviceUrl(before.url) === url;
  const kept = same ? before.key : null;
  const hint = kept === null ? `none: BRINK_KEY, or ${LOCAL_KEYS}` : "what is there";
  const typed = asks && !process.env.BRINK_KEY ? await askSecret(`its admin key (${hint})`) : "";
  const key = process.env.BRINK_KEY || typed || kept;
  const changes = before !== undefined && !(same && before.key === key);
  if (changes) await allowReplacing(`profile ${name} (${before.url})`, values, asks);
  writeProfiles({ current: name, profiles: { ...known.profiles, [name]: { url, key } } }, path);
  return { path, what: `profile ${name}`, replaced: changes };
}

/** In the checkout, wherever the command is called: npm start reads it nowhere else. Null where no
 *  backend is wanted. */
async function writeBackend(values: Values, asks: boolean): Promise<Written | null> {
  const url = await answer(values["backend-url"], asks, "a backend's URL, for local runs", "");
  if (url === "") {
    if (values["backend-model"] !== undefined) throw new UsageError("--backend-url is missing");
    return null;
  }
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? ""))
    throw new UsageError(`--backend-url is an http or https URL, not ${JSON.stringify(url)}`);
  const model = await answer(values["backend-model"], asks, "the backend's model", "");
  if (model === "") throw new UsageError("--backend-model is missing");
  const key = process.env.BACKEND_KEY || (asks ? await askSecret("its key (none)") : "");
  const path = join(root, ".dev.vars");
  const lines = existsSync(path) ? readFileSync(path, "utf8").trimEnd().split("\n") : [HEAD];
  const kept = lines.filter((line) => !/^\s*(export\s+)?BACKEND_(URL|MODEL|KEY)\s*=/.test(line));
  const replaced = kept.length < lines.length;
  if (replaced) await allowReplacing(`the backend in ${path}`, values, asks);
  const variables = {
    BACKEND_URL: url,
    BACKEND_MODEL: model,
    ...(key ? { BACKEND_KEY: key } : {}),
  };
  const fresh = Object.entries(variables).map(([name, value]) => {
    if (/['\n\r]/.test(value)) throw new UsageError(`${name} must hold no quote and no line break`);
    return `${name}='${value}'`;
  });
  writeSecret(path, `${[...kept, ...fresh].join("\n")}\n`);
  return { path, what: "the backend", replaced };
}

async function answer(
  given: string | boolean | undefined,
  asks: boolean,
  what: string,
  otherwise: string,
): Promise<string> {
  if (typeof given === "string") return given;
  return asks ? ask(what, otherwise) : otherwise;
}

/** Throws CommandError where it is not allowed. */
async function allowReplacing(what: string, values: Values, asks: boolean): Promise<void> {
  if (values.yes) return;
  if (asks && /^y(es)?$/i.test(await ask(`replace ${what}? yes or no`, "no"))) return;
  throw new CommandError(
    `${what} is there and would be replaced: add --yes, or choose another name`,
  );
}
