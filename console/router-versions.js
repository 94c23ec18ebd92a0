/** The versions of weights and calibration, and the way back to one. */
import { call } from "./api.js";
import { confirmed } from "./confirm.js";
import { byId, el, fill, newestOnly, whileBusy } from "./dom.js";
import { count, moment } from "./format.js";
import { emptyNotice, errorNotice, loadingNotice } from "./notice.js";
import { mayChange, mayLook, session } from "./session.js";

/** @typedef {import("./types.js").RouterVersion} RouterVersion */

const list = byId("router-versions", HTMLElement);
const beginRead = newestOnly();

export function clearVersions() {
  beginRead();
  if (mayLook()) return fill(list, emptyNotice("They are read after the router."));
  const asks = session.role === "inference";
  fill(list, emptyNotice(asks ? "They are shown with an admin key." : "They wait for the key."));
}

const COLUMNS = ["Version", "Made", "By", "Weights", "Answers", "Use"];

/** @param {() => void} changed called after going back to a version */
export function showVersions(changed) {
  const isNewest = beginRead();
  fill(list, loadingNotice("Reading the versions…"));
  call("/admin/router/versions").then(
    ({ versions }) => {
      if (isNewest()) showTable(versions, changed);
    },
    (error) => {
      if (isNewest())
        fill(
          list,
          errorNotice(error, () => showVersions(changed)),
        );
    },
  );
}

/** @param {RouterVersion[]} versions
 *  @param {() => void} changed */
function showTable(versions, changed) {
  const head = el("tr", {}, ...COLUMNS.map((name) => el("th", { scope: "col" }, name)));
  const rows = versions.map((one) => describe(one, changed));
  const table = el(
    "table",
    { class: "card wide" },
    el("thead", {}, head),
    el("tbody", {}, ...rows),
  );
  const region = { class: "scroll", role: "region", tabindex: 0, "aria-label": "The versions" };
  fill(list, el("div", region, table));
}

/** @param {RouterVersion} version
 *  @param {() => void} changed */
function describe({ version, created_at, source, note, weights_version, labels, active }, changed) {
  return el(
    "tr",
    {},
    el("td", {}, el("code", {}, version)),
    el("td", {}, created_at === null ? "with the release" : moment(created_at)),
    el("td", {}, note === null ? source : `${source}: ${note}`),
    el("td", {}, el("code", {}, weights_version)),
    el("td", {}, count(labels)),
    el("td", {}, active ? "in use" : mayChange() ? useButton(version, changed) : ""),
  );
}

/** @param {string} version
 *  @param {() => void} changed */
function useButton(version, changed) {
  const button = el("button", { type: "button", "aria-label": `Use version ${version}` }, "Use");
  button.addEventListener("click", () => void whileBusy(button, () => goBack(version, changed)));
  return button;
}

/** @param {string} version
 *  @param {() => void} changed */
async function goBack(version, changed) {
  const sure = await confirmed({
    title: `Use version ${version}?`,
    text: "It is used exactly as it was, and automatic calibration ends.",
    action: "Use it",
  });
  if (!sure) return;
  try {
    await call("/admin/router/rollback", { method: "POST", body: { version } });
    changed();
  } catch (error) {
    fill(list, errorNotice(error, changed));
  }
  list.focus(); // the button that had it is gone
}
