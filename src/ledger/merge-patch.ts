/** JSON that is changed in parts. */

/** `value` with `patch` merged into it, neither of which changes: of an object every field that the
 *  patch has, null taking one back; anything else takes the place of what was there. Source: RFC
 *  7396. */
export function mergePatch(value: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const fields = new Map(isObject(value) ? Object.entries(value) : []);
  for (const [name, change] of Object.entries(patch))
    if (change === null) fields.delete(name);
    else fields.set(name, mergePatch(fields.get(name), change));
  return Object.fromEntries(fields);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
