/** Memory, Upkeep: what an index does by itself, asked for now, and the work that runs. */
import { call, namespacePath } from "./api.js";
import { byId, el, fill, whileBusy } from "./dom.js";
import { bytes, plural } from "./format.js";
import { doneNotice, errorNotice, loadingNotice } from "./notice.js";
import { mayChange } from "./session.js";

/** @typedef {import("./types.js").Stats} Stats */

const panel = byId("upkeep", HTMLDetailsElement);
const state = byId("upkeep-state", HTMLElement);
const outcome = byId("upkeep-outcome", HTMLElement);
const buttons = {
  compact: byId("upkeep-compact", HTMLButtonElement),
  split: byId("upkeep-split", HTMLButtonElement),
  look: byId("upkeep-look", HTMLButtonElement),
  stop: byId("upkeep-stop", HTMLButtonElement),
};

/** @type {string | null} */
let namespace = null;
let onChange = () => {};

/** @param {() => void} changed called when the figures are others, or are to be read again */
export function startUpkeep(changed) {
  onChange = changed;
  const { compact, split, look, stop } = buttons;
  look.addEventListener("click", changed);
  on(compact, "Compacting…", "POST", "compact", (/** @type {Stats} */ reply) => {
    const held = `${plural(reply.passages, "passage")}, ${bytes(reply.sqlite_bytes)} on disk`;
    return `Compacted: ${held}.`;
  });
  on(split, "Beginning to split…", "POST", "split", () => "The split has begun.");
  on(stop, "Calling it off…", "DELETE", "work", ({ cancelled }) =>
    cancelled ? "Called off: all is as it was before." : "It had ended already.",
  );
}

/** @param {HTMLButtonElement} button
 *  @param {string} doing
 *  @param {string} method
 *  @param {string} step of the path
 *  @param {(reply: any) => string} describe */
function on(button, doing, method, step, describe) {
  const work = async () => {
    const target = namespace;
    if (target === null) return;
    fill(outcome, loadingNotice(doing));
    try {
      const reply = await call(namespacePath(target, step), { method });
      if (target !== namespace) return;
      fill(outcome, doneNotice(describe(reply)));
      onChange();
    } catch (error) {
      if (target === namespace) fill(outcome, errorNotice(error));
    }
  };
  button.addEventListener("click", () => void whileBusy(button, work));
}

/** @param {string | null} shown whose upkeep it is; null: nobody's who may look at it */
export function showUpkeep(shown) {
  panel.hidden = shown === null;
  buttons.compact.hidden = !mayChange();
  buttons.split.hidden = !mayChange();
  if (shown === namespace) return;
  namespace = shown;
  panel.open = false;
  for (const element of [state, outcome]) fill(element);
  buttons.stop.hidden = true;
}

/** What runs and how far it is.
 * @param {Stats} stats */
export function showWork({ work, shards }) {
  buttons.stop.hidden = work === null || !mayChange();
  const parts = plural(shards.length, "shard");
  if (work === null) return fill(state, el("p", { class: "faint" }, `${parts}; no work runs.`));
  const failed = work.error === null ? "" : `, its last failure: ${work.error}`;
  const far = `${plural(work.documents, "document")} copied${failed}`;
  fill(state, el("p", { role: "status" }, `${parts}; a ${work.kind} runs: ${far}.`));
}
