/** The services that the operator wrote down with `brink init`: where each is and its key. The file
 *  holds keys, so that nobody else may read it. */
import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { CommandError } from "./command.ts";

export interface Profile {
  url: string;
  /** Null: none is written down, and BRINK_KEY has it. */
  key: string | null;
}

export interface Profiles {
  /** The name of the one in use; null: none is. */
  current: string | null;
  /** By name. Without a prototype where they were read: a name may be that of what it has. */
  profiles: Record<string, Profile>;
}

export const PROFILE_NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/i;

/** Where the file is: BRINK_CONFIG, or among the user's configurations. */
export function profilesPath(): string {
  const { BRINK_CONFIG, XDG_CONFIG_HOME } = process.env;
  if (BRINK_CONFIG) return BRINK_CONFIG;
  return join(XDG_CONFIG_HOME || join(homedir(), ".config"), "brink", "config.json");
}

/** Throws CommandError for a file that is none of ours, since what it holds would be lost. */
export function readProfiles(path = profilesPath()): Profiles {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      return { current: null, profiles: Object.create(null) };
    throw new CommandError(`${path} cannot be read: ${(error as Error).message}`);
  }
  const parsed = parse(text);
  if (parsed === null)
    throw new CommandError(`${path} is no configuration of brink's: mend it, or move it away`);
  return parsed;
}

function parse(text: string): Profiles | null {
  try {
    const { current, profiles } = JSON.parse(text) as Partial<Profiles>;
    const fair = ({ url, key }: Profile) =>
      typeof url === "string" && (key === null || typeof key === "string");
    if (current !== null && typeof current !== "string") return null;
    if (typeof profiles !== "object" || !Object.values(profiles).every(fair)) return null;
    return { current, profiles: Object.assign(Object.create(null), profiles) };
  } catch {
    return null;
  }
}

/** Writes the file whole or not at all, for its owner alone. */
export function writeProfiles(profiles: Profiles, path = profilesPath()): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeSecret(path, `${JSON.stringify(profiles, null, 2)}\n`);
}

/** Writes a file that its owner alone may read, whole or not at all. */
export function writeSecret(path: string, text: string): void {
  const fresh = `${path}.${process.pid}`;
  writeFileSync(fresh, text, { mode: 0o600 });
  chmodSync(fresh, 0o600); // one that was left behind may have had another mode
  renameSync(fresh, path);
}

/** Whether others than the owner may read a file; false where it is missing, and on Windows, whose
 *  modes do not say. */
export function othersMayRead(path: string): boolean {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  return process.platform !== "win32" && (mode & 0o077) !== 0;
}
