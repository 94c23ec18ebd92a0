/** The key in use, what it may do, and what the deployment has. Every view listens to it. */
import { ApiError, call, useKey } from "./api.js";

/** @typedef {import("./types.js").Namespace} Namespace
 *  @typedef {import("./types.js").Model} Model
 *  @typedef {"checking" | "none" | "refused" | "failed" | "inference" | "reader" | "admin"} Role */

const STORED_AS = "brink-key";
const LOCAL_ADMIN_KEY = "brink-admin";
const LOCAL_KEYS = [LOCAL_ADMIN_KEY, "brink-dev"];

/** Whether the page comes from a loopback address, where the fixed keys work. */
export const isLocal = /^(localhost|\[::1\]|127(\.\d{1,3}){3})$/.test(location.hostname);

/** @typedef {object} Known
 * @property {Role} role
 * @property {boolean} asks A reader may look at what an administrator may; not all may ask, too.
 * @property {unknown} error
 * @property {Namespace[]} namespaces
 * @property {Model[]} models */

/** Before anything is known. @type {Known} */
const UNKNOWN = { role: "checking", asks: true, error: null, namespaces: [], models: [] };

export const session = { key: "", ...UNKNOWN };

/** Whether the key may look at all that there is. */
export function mayLook() {
  return session.role === "admin" || session.role === "reader";
}

/** Whether it may change anything of it. */
export function mayChange() {
  return session.role === "admin";
}

/** The namespace of a request that names none, where that is known: the local keys' only. */
export function defaultNamespace() {
  return isLocal && LOCAL_KEYS.includes(session.key) ? "docs" : null;
}

const changes = new EventTarget();

/** @param {() => void} listener called now and after every change */
export function watchSession(listener) {
  changes.addEventListener("change", listener);
  listener();
}

/** @param {Partial<typeof session>} change */
function update(change) {
  Object.assign(session, change);
  changes.dispatchEvent(new Event("change"));
}

/** Takes up the key of this browser tab, or the local one, and asks what it may do. */
export async function openSession() {
  await changeKey(readStored() ?? (isLocal ? LOCAL_ADMIN_KEY : ""));
}

/** @param {string} key kept until the tab is closed */
export async function changeKey(key) {
  try {
    sessionStorage.setItem(STORED_AS, key);
  } catch {
    // Storage is switched off in this browser: the key then lasts until the page is left.
  }
  useKey(key);
  update({ key, ...UNKNOWN });
  await identify(key);
}

function readStored() {
  try {
    return sessionStorage.getItem(STORED_AS);
  } catch {
    return null;
  }
}

/** @param {string} key */
async function identify(key) {
  const isCurrent = () => session.key === key;
  if (key === "") return update({ role: "none" });
  try {
    const [{ data }, namespaces] = await Promise.all([call("/v1/models"), readNamespaces()]);
    if (!isCurrent()) return;
    const may = await findRights(namespaces !== null);
    if (!isCurrent()) return;
    update({ models: data, namespaces: namespaces ?? [], ...may, error: null });
  } catch (error) {
    if (!isCurrent()) return;
    const refused = error instanceof ApiError && error.status === 401;
    update({ role: refused ? "refused" : "failed", error });
  }
}

/** @param {boolean} looks whether the key may look at what an administrator may
 *  @returns {Promise<Pick<Known, "role" | "asks">>} */
async function findRights(looks) {
  if (!looks) return { role: "inference", asks: true };
  if (await mayPost("/admin/namespaces")) return { role: "admin", asks: true };
  return { role: "reader", asks: await mayPost("/v1/models") };
}

/** Whether the key may POST to where nothing takes a POST: the service looks at the key first, and
 *  keeps no trace of what no endpoint took. Nothing takes such a body either.
 * @param {string} path */
async function mayPost(path) {
  try {
    await call(path, { method: "POST", lines: "{" });
  } catch (error) {
    if (error instanceof ApiError && error.code === "forbidden") return false;
    const told = error instanceof ApiError && error.status >= 400 && error.status < 500;
    if (!told || error.status === 401) throw error;
  }
  return true;
}

/** @returns {Promise<Namespace[] | null>} null where the key is not an admin's */
async function readNamespaces() {
  try {
    return (await call("/admin/namespaces")).namespaces;
  } catch (error) {
    if (error instanceof ApiError && error.code === "forbidden") return null;
    throw error;
  }
}

/** Reads the list again, after one was made or deleted, here or elsewhere. */
export async function refreshNamespaces() {
  const { key } = session;
  const namespaces = (await readNamespaces()) ?? [];
  const isSame = JSON.stringify(namespaces) === JSON.stringify(session.namespaces);
  if (session.key === key && !isSame) update({ namespaces });
}

/** Asks again what the key may do, after a failure. */
export async function retrySession() {
  await changeKey(session.key);
}
