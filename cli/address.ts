/** Which service a command calls, and with which key. */
import { CommandError, type Values } from "./command.ts";
import { type Profile, readProfiles } from "./profiles.ts";

export interface Address {
  /** As `serviceUrl` gives it. */
  url: string;
  key: string;
  /** Where the URL is from, for people. */
  from: string;
}

export const LOCAL_URL = "http://127.0.0.1:8787";
const LOCAL_KEY = "brink-admin";

/** --url and --key; else those of --profile; else BRINK_URL and BRINK_KEY; else the profile in use;
 *  else the local service. A profile's key goes to that profile's URL and to no other. Throws
 *  CommandError for a URL that is none and a profile that is not there. */
export function addressOf(values: Values): Address {
  const profile = findProfile(values);
  const named = profile?.named === true;
  const { BRINK_URL, BRINK_KEY } = process.env;
  const [given, from] = firstOf([
    [values.url, "--url"],
    [named ? profile.url : null, `profile ${profile?.name}`],
    [BRINK_URL, "BRINK_URL"],
    [profile?.url, `profile ${profile?.name}`],
    [LOCAL_URL, "the local default"],
  ]);
  const url = serviceUrl(given);
  if (url === null) throw new CommandError(`${given} is no http or https URL`);
  const its = profile !== null && serviceUrl(profile.url) === url ? profile.key : null;
  const [key] = firstOf([
    [values.key, "--key"],
    [named ? its : null, "profile"],
    [BRINK_KEY, "BRINK_KEY"],
    [its, "profile"],
    [LOCAL_KEY, "the local default"],
  ]);
  return { url, key, from };
}

/** Where a service is, without a slash at the end, nor the /v1 that clients of OpenAI's take with
 *  it; null: the text is no http or https URL. */
export function serviceUrl(text: string): string | null {
  const base = withoutSlashes(text);
  const { protocol, pathname } = URL.parse(base) ?? {};
  if (protocol !== "http:" && protocol !== "https:") return null;
  return pathname!.endsWith("/v1") ? withoutSlashes(base.slice(0, -"v1".length)) : base;
}

function withoutSlashes(text: string): string {
  return text.replace(/(?<!\/)\/+$/, "");
}

/** The first that is there; the last always is. */
function firstOf(
  candidates: [value: string | boolean | null | undefined, from: string][],
): [string, string] {
  const [value, from] = candidates.find(([value]) => value)!;
  return [String(value), from];
}

function findProfile(values: Values): (Profile & { name: string; named: boolean }) | null {
  const asked = values.profile ?? process.env.BRINK_PROFILE;
  const { current, profiles } = readProfiles();
  const name = asked ? String(asked) : current;
  if (name === null) return null;
  const profile = profiles[name];
  if (profile !== undefined) return { ...profile, name, named: Boolean(asked) };
  const known = Object.keys(profiles).join(", ") || "none";
  throw new CommandError(
    `there is no profile ${JSON.stringify(name)} (known: ${known}): npx brink init makes one`,
  );
}
