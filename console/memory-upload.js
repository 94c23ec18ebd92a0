/** Memory, Add: files, one after the other, with what became of each. */
import { ApiError, call, namespacePath } from "./api.js";
import { byId, el, fill, showRunning } from "./dom.js";
import { bytes, count, plural } from "./format.js";
import { errorNotice } from "./notice.js";
import { memoryHash } from "./routes.js";
import { keepUnsaved } from "./unsaved.js";
import {
  batchesOf,
  checkName,
  contentTypeOf,
  ENDINGS,
  isLines,
  textOf,
  UnfitFile,
} from "./upload-parts.js";

/** @typedef {import("./types.js").IngestOutcome} IngestOutcome */

/** The first refusals of a file, and how many there are: it may have any number of lines.
 * @typedef {IngestOutcome & { refused: number }} FileOutcome */

/** A file's line in the list. @typedef {(...children: (Node | string | null)[]) => void} Tell */

const FILES_MAX = 500;
/** A text of 500,000 characters, which the service takes at most, has no more. */
const TEXT_BYTES_MAX = 2 * 1024 * 1024;
const ERRORS_SHOWN = 5;

const form = byId("upload-form", HTMLFormElement);
const input = byId("upload-files", HTMLInputElement);
const send = byId("upload-send", HTMLButtonElement);
const stop = byId("upload-stop", HTMLButtonElement);
const bar = byId("upload-bar", HTMLProgressElement);
const status = byId("upload-status", HTMLElement);
const list = byId("upload-list", HTMLElement);

let namespace = "";
let onChange = () => {};
/** @type {AbortController | null} */
let running = null;

/** @param {() => void} changed called when documents were taken */
export function startUpload(changed) {
  onChange = changed;
  input.accept = ENDINGS.join(",");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (running === null) void upload([...(input.files ?? [])]);
  });
  stop.addEventListener("click", () => running?.abort());
  keepUnsaved(() => running !== null);
  addEventListener("dragover", takeDropped);
  addEventListener("drop", takeDropped);
}

/** A file that is dropped anywhere in the form is chosen. Elsewhere nothing becomes of it: the
 *  browser would leave the page and show the file in its place.
 * @param {DragEvent} event */
function takeDropped(event) {
  const { dataTransfer, target, type } = event;
  if (!dataTransfer?.types.includes("Files") || target === input) return;
  event.preventDefault();
  const taken = target instanceof Node && form.contains(target);
  dataTransfer.dropEffect = taken ? "copy" : "none";
  if (taken && type === "drop") input.files = dataTransfer.files;
}

/** @param {string} shown where files go from now on */
export function showUpload(shown) {
  if (shown === namespace) return;
  namespace = shown;
  if (running === null) reset();
}

/** Ends what runs and forgets what another key sent. */
export function resetUpload() {
  running?.abort();
  namespace = "";
  reset();
}

function reset() {
  form.reset();
  fill(list);
  status.textContent = "";
  bar.hidden = true;
}

/** @param {File[]} files */
async function upload(files) {
  if (files.length === 0) return;
  if (files.length > FILES_MAX) {
    const text = `These are ${files.length} files; ${FILES_MAX} can be sent at once.`;
    return fill(list, el("li", { class: "fault" }, text));
  }
  const control = new AbortController();
  const target = namespace;
  running = control;
  const total = files.reduce((sum, { size }) => sum + size, 0) || 1;
  const lines = files.map(({ name, size }) => makeLine(name, size));
  fill(list, ...lines.map(({ element }) => element));
  // Bytes that were taken, and those of files that are done with, refused ones too.
  let [sent, past] = [0, 0];
  const progress = (/** @type {number} */ done) => {
    bar.value = past / total;
    const counts = `${done} of ${plural(files.length, "file")}`;
    status.textContent = `${counts} into ${target}, ${bytes(sent)}`;
  };
  bar.hidden = false;
  showRunning(send, stop, true);
  progress(0);
  for (const [i, file] of files.entries()) {
    if (control.signal.aborted) break;
    const { tell } = /** @type {{ tell: Tell }} */ (lines[i]);
    const end = past + file.size;
    await sendFile(file, target, control.signal, tell, (more) => {
      sent += more;
      past += more;
      progress(i);
    });
    if (control.signal.aborted) break;
    past = end;
    progress(i + 1);
  }
  running = null;
  showRunning(send, stop, false);
  if (control.signal.aborted) status.textContent += ": stopped";
  onChange();
}

/** @param {string} name
 *  @param {number} size */
function makeLine(name, size) {
  const state = el("span", { class: "upload-state" }, "waits");
  const head = el("span", {}, name, " ", el("span", { class: "faint" }, bytes(size)));
  /** @type {Tell} */
  const tell = (...children) => fill(state, ...children);
  return { element: el("li", {}, head, state), tell };
}

/** Sends a file and tells what became of it; a failure of one is none of the others.
 * @param {File} file
 * @param {string} target
 * @param {AbortSignal} signal
 * @param {Tell} tell
 * @param {(bytes: number) => void} onBytes */
async function sendFile(file, target, signal, tell, onBytes) {
  tell("is sent…");
  /** @type {FileOutcome} */
  const outcome = { upserted: 0, unchanged: 0, passages: 0, errors: [], refused: 0 };
  try {
    checkName(file.name);
    if (isLines(file.name)) await sendLines(file, target, signal, onBytes, outcome);
    else addTo(outcome, await sendText(file, target, signal, onBytes), 0);
    tell(...describeOutcome(outcome, file.name, target));
  } catch (error) {
    const { upserted, unchanged, refused } = outcome;
    const some = upserted + unchanged + refused > 0;
    const before = some ? describeOutcome(outcome, file.name, target) : [];
    tell(...before, signal.aborted ? "stopped" : describeFault(error));
  }
}

/** @param {unknown} error */
function describeFault(error) {
  if (error instanceof UnfitFile) return el("p", { class: "fault", role: "alert" }, error.message);
  return errorNotice(error);
}

/** @param {File} file
 *  @param {string} target
 *  @param {AbortSignal} signal
 *  @param {(bytes: number) => void} onBytes
 *  @returns {Promise<IngestOutcome>} */
async function sendText(file, target, signal, onBytes) {
  if (file.size > TEXT_BYTES_MAX)
    throw new Error(`${bytes(file.size)} is more than a document has: ${bytes(TEXT_BYTES_MAX)}`);
  const document = {
    id: file.name,
    title: file.name.replace(/\.[^.]+$/, ""),
    text: textOf(await file.arrayBuffer(), file.name),
    content_type: contentTypeOf(file.name),
  };
  const body = { documents: [document] };
  const reply = await call(namespacePath(target, "documents"), { method: "POST", body, signal });
  onBytes(file.size);
  return reply;
}

/** A document a line, a part of the file at a time.
 * @param {File} file
 * @param {string} target
 * @param {AbortSignal} signal
 * @param {(bytes: number) => void} onBytes
 * @param {FileOutcome} all to which each part's outcome is added */
async function sendLines(file, target, signal, onBytes, all) {
  for await (const { text, size, before } of batchesOf(file.stream())) {
    const path = namespacePath(target, "documents");
    /** @type {IngestOutcome} */
    const part = await call(path, { method: "POST", lines: text, signal }).catch((error) => {
      throw before === 0 ? error : within(error, before);
    });
    addTo(all, part, before);
    onBytes(size);
  }
}

/** The service counts from the part that it was sent.
 * @param {unknown} error
 * @param {number} before documents of earlier parts */
function within(error, before) {
  if (!(error instanceof ApiError)) return error;
  return new ApiError(`from document ${before + 1} on: ${error.message}`, error);
}

/** @param {FileOutcome} all
 *  @param {IngestOutcome} part
 *  @param {number} before documents of earlier parts */
function addTo(all, { upserted, unchanged, passages, errors }, before) {
  all.upserted += upserted;
  all.unchanged += unchanged;
  all.passages += passages;
  all.refused += errors.length;
  const shown = errors.slice(0, ERRORS_SHOWN - all.errors.length);
  all.errors.push(...shown.map((one) => ({ ...one, index: one.index + before })));
}

/** @param {FileOutcome} outcome
 *  @param {string} name
 *  @param {string} target */
function describeOutcome({ upserted, unchanged, passages, errors, refused }, name, target) {
  const counts = [
    upserted > 0 ? `${upserted} taken, ${plural(passages, "passage")}` : "",
    unchanged > 0 ? `${unchanged} unchanged` : "",
    refused > 0 ? `${count(refused)} refused` : "",
  ].filter((text) => text !== "");
  const link = isLines(name)
    ? null
    : el("a", { href: memoryHash(target, "document", name) }, "show");
  const faults = errors.map(({ index, code, message }) => {
    const where = isLines(name) ? `Document ${index + 1}: ` : "";
    return el("p", { class: "fault" }, where, message, " ", el("code", {}, code));
  });
  return [counts.join(", ") || "is empty", " ", link, ...faults];
}
