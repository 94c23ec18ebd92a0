/** Has the browser ask before the page is left while it holds what nothing else does. */

/** @type {(() => boolean)[]} */
const checks = [];

/** @param {() => boolean} check whether there is something that would be lost */
export function keepUnsaved(check) {
  checks.push(check);
}

addEventListener("beforeunload", (event) => {
  if (checks.some((check) => check())) event.preventDefault();
});
