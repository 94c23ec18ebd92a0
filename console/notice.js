/** How the console says that something is empty, loading, done or wrong. */
import { ApiError } from "./api.js";
import { el } from "./dom.js";

/** @param {string} text */
export function emptyNotice(text) {
  return el("p", { class: "notice" }, text);
}

/** @param {string} text */
export function loadingNotice(text) {
  return el("p", { class: "notice loading", role: "status" }, text);
}

/** @param {...(Node | string)} children */
export function doneNotice(...children) {
  return el("div", { class: "notice done", role: "status" }, ...children);
}

/** What the service said, its code, and what to do where that is known.
 * @param {unknown} error
 * @param {() => void} [retry] */
export function errorNotice(error, retry) {
  const code = error instanceof ApiError ? error.code : "console_error";
  const trace = error instanceof ApiError ? error.trace : null;
  const message = error instanceof Error ? error.message : String(error);
  const hint = hintFor(error);
  return el(
    "div",
    { class: "notice failed", role: "alert" },
    el("p", {}, message, " ", el("code", {}, code)),
    hint === null ? null : el("p", {}, hint),
    trace === null ? null : el("p", { class: "faint" }, "trace ", el("code", {}, trace)),
    retry ? el("button", { type: "button", onclick: () => retry() }, "Try again") : null,
  );
}

/** @param {unknown} error */
function hintFor(error) {
  if (!(error instanceof ApiError)) return null;
  if (error.code === "no_keys_configured") return "The operator has to set one up first.";
  if (error.status === 401) return "Enter a key at the top of the page.";
  if (error.code === "forbidden") return "Enter an admin key at the top of the page.";
  if (error.code === "network") return "Is the service running?";
  return null;
}
