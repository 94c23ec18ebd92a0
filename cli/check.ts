/** What brink doctor finds. */

/** One thing that was looked at. `warn`: it works, and something is worth knowing. */
export interface Check {
  name: string;
  state: "ok" | "warn" | "fail";
  detail: string;
  /** What to do; null where all is well. */
  remedy: string | null;
}

export function ok(name: string, detail: string): Check {
  return { name, state: "ok", detail, remedy: null };
}

export function warn(name: string, detail: string, remedy: string): Check {
  return { name, state: "warn", detail, remedy };
}

export function fail(name: string, detail: string, remedy: string): Check {
  return { name, state: "fail", detail, remedy };
}
