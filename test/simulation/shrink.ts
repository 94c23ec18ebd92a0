/** Makes a failing trace small: by letting steps come in their order instead of naming them, by
 *  leaving out parts, halves first (Zeller and Hildebrandt's delta debugging), and by leaving
 *  documents out of operations. */
import type { Entry, Trace } from "./episode.ts";
import type { Operation } from "./operations.ts";

/** Whether a trace still fails in the same way. */
export type Fails = (trace: Trace) => Promise<boolean>;

/** So many steps in order are all there are. */
const ALL = 1_000_000;

/** The smallest failing trace found with so many tries at most. */
export async function shrink(trace: Trace, fails: Fails, triesMax: number): Promise<Trace> {
  let tries = 0;
  const still: Fails = async (other) => ++tries <= triesMax && (await fails(other));
  let best = await undisturbed(trace, still);
  for (;;) {
    const before = JSON.stringify(best);
    for (let parts = 1; ; parts *= 2) {
      const size = Math.ceil(best.length / parts);
      best = joined(await eachPart(best, size, still, (part) => part.map(inOrder)));
      best = joined(await eachPart(best, Math.min(size, best.length), still, () => []));
      if (size <= 1) break;
    }
    best = await simpler(best, still);
    if (JSON.stringify(best) === before || tries >= triesMax) return best;
  }
}

/** Without the checks between, and where that fails too, only what is asked and disturbed. */
async function undisturbed(trace: Trace, still: Fails): Promise<Trace> {
  const events = trace.filter((entry) => !isStep(entry) && entry !== "settle");
  if (await still(events)) return events;
  const spaced = events.flatMap((entry) => [entry, `next ${ALL}`]);
  if (await still(spaced)) return spaced;
  const unchecked = trace.map((entry) => (entry === "settle" ? `next ${ALL}` : entry));
  return (await still(unchecked)) ? unchecked : trace;
}

/** Puts other entries in the place of parts of so many, wherever it still fails then. */
async function eachPart(
  trace: Trace,
  size: number,
  still: Fails,
  instead: (part: Trace) => Trace,
): Promise<Trace> {
  let best = trace;
  for (let at = 0; at < best.length; ) {
    const part = best.slice(at, at + size);
    const other = instead(part);
    const whole = [...best.slice(0, at), ...other, ...best.slice(at + size)];
    const isNew = JSON.stringify(part) !== JSON.stringify(other);
    if (isNew && (await still(whole))) {
      best = whole;
      at += other.length;
    } else at += part.length;
  }
  return best;
}

/** A step of the scheduler that is neither a fault nor several. */
const isStep = (entry: Entry) =>
  typeof entry === "string" && /^(call|reply|flush|alarm|timer|advance|next) /.test(entry);

const inOrder = (entry: Entry) =>
  isStep(entry) && !String(entry).startsWith("next ") ? "next 1" : entry;

/** With steps in order that follow each other as one entry. */
function joined(trace: Trace): Trace {
  const all: Trace = [];
  for (const entry of trace) {
    const [last, steps] = [countOf(all.at(-1)), countOf(entry)];
    if (last === null || steps === null) all.push(entry);
    else all[all.length - 1] = `next ${Math.min(ALL, last + steps)}`;
  }
  return all;
}

function countOf(entry: Entry | undefined): number | null {
  const found = typeof entry === "string" ? /^next (\d+)$/.exec(entry) : null;
  return found === null ? null : Number(found[1]);
}

/** Each entry alone made simpler. */
async function simpler(trace: Trace, still: Fails): Promise<Trace> {
  let best = trace;
  for (const at of best.keys())
    for (let changed = true; changed; ) {
      changed = false;
      for (const smaller of smallerThan(best[at]!)) {
        const other = best.with(at, smaller);
        if (!(await still(other))) continue;
        best = other;
        changed = true;
        break;
      }
    }
  return best;
}

function* smallerThan(entry: Entry): Generator<Entry> {
  const steps = countOf(entry);
  if (steps !== null && steps < ALL) yield `next ${ALL}`;
  if (steps !== null && steps < ALL && steps > 1) yield `next ${Math.floor(steps / 2)}`;
  if (typeof entry !== "string") yield* smallerOperations(entry);
}

function* smallerOperations(operation: Operation): Generator<Operation> {
  if (operation.op === "put" && operation.documents.length > 1)
    for (const one of operation.documents)
      yield { ...operation, documents: operation.documents.filter((other) => other !== one) };
  if (operation.op === "remove" && operation.keys.length > 1)
    for (const one of operation.keys)
      yield { ...operation, keys: operation.keys.filter((other) => other !== one) };
}
