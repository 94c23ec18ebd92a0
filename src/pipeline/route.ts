/** Where a question goes, as a pure function of what is known. */
import type { Rung } from "../router/ladder.ts";

export interface RouteInput {
  /** What the caller asked for; `generator` where it named one of the generator's models. */
  model: "auto" | "edge" | "backend" | "generator";
  /** Whether it was a header that asked for it. */
  forced: boolean;
  /** Why the conversation stays with its backend, and which that is, or null where there is no
   *  other; null where it need not. */
  stay: { engine: string | null; why: string } | null;
  /** P(the edge answer is not good enough), 0..1; null when the edge was not asked. */
  difficulty: number | null;
  /** What weighs most in it, in words; may be empty. */
  weighed: string;
  /** Whether it was known without reading. */
  unread: boolean;
  /** The largest difficulty that the edge may keep, 0..1. */
  threshold: number;
  /** The cheapest engine above the reader that may answer so hard a question; null: none may, or
   *  nothing was read. */
  rung: Rung | null;
  backendConfigured: boolean;
  /** Whether a generator is there for questions that name none. */
  generatorConfigured: boolean;
  /** Why only a backend can serve the request (tools, images, ...); null when others can. */
  backendOnly: string | null;
  /** Why the answer must be written and not cut out (a schema, several choices, ...), or null. */
  writtenOnly: string | null;
  /** Of a question without memory, what its prompt alone says: P(an engine at the edge does worse
   *  than the backend), 0..1, and the largest that it may keep; null of any other. */
  prior: { difficulty: number; threshold: number } | null;
  /** Whether the reader found no answer in the passages. */
  abstained: boolean;
}

export interface RouteDecision {
  route: "edge" | "backend";
  engine: "reader" | "generator" | "backend";
  /** The one engine that was chosen of those: a rung, or the backend that the conversation stays
   *  with, as `brink.engine`. */
  rung?: string;
  /** Set when a backend was wanted but none could take it. */
  wanted?: "backend";
  /** Set where another engine was to answer and failed. */
  standIn?: true;
  reason: string;
}

/** Decides. Never throws: requests that no engine can serve are refused before this point. */
export function decideRoute(input: RouteInput): RouteDecision {
  const { model, backendOnly, writtenOnly, generatorConfigured, backendConfigured } = input;
  const asker = input.forced ? "the header x-brink-route" : "the request";
  if (model === "backend") return toBackend(`${asker} named a backend`);
  if (model === "generator") return toGenerator("the request named a generator's model");
  if (backendOnly !== null) return toBackend(`${backendOnly} needs a backend`);
  if (writtenOnly !== null)
    return generatorConfigured
      ? toGenerator(`${writtenOnly} needs a generator`)
      : toBackend(`${writtenOnly} needs a generator or a backend`);
  if (model === "edge") return toReader(`${asker} named the edge`);
  const { stay } = input;
  if (stay !== null) return { ...toBackend(stay.why), ...(stay.engine && { rung: stay.engine }) };
  const { difficulty, threshold } = input;
  if (difficulty !== null && difficulty <= threshold) return toReader(compare(input, "<="));
  const why = explainHardness(input);
  const { prior, rung } = input;
  if (rung !== null) return toRung(rung, why);
  if (generatorConfigured && prior !== null && prior.difficulty <= prior.threshold)
    return toGenerator(why);
  if (backendConfigured) return toBackend(why);
  if (generatorConfigured) return toGenerator(why);
  const honest = `${why}; no backend is configured, so this is the edge's best evidence`;
  return { ...toReader(honest), wanted: "backend" };
}

function toReader(reason: string): RouteDecision {
  return { route: "edge", engine: "reader", reason };
}

function toGenerator(reason: string): RouteDecision {
  return { route: "edge", engine: "generator", reason };
}

function toRung({ engine, threshold }: Rung, why: string): RouteDecision {
  const reason = `${why}; ${engine} may answer up to ${fixed(threshold)}`;
  const to = engine.startsWith("generator:") ? toGenerator(reason) : toBackend(reason);
  return { ...to, rung: engine };
}

function toBackend(reason: string): RouteDecision {
  return { route: "backend", engine: "backend", reason };
}

/** What can do what the request demands. */
export interface Left {
  reader: boolean;
  generator: boolean;
  backend: boolean;
}

/** What an engine that failed before its first token leaves: the next one down, or null. In the
 *  place of a rung, which only a configured backend makes, that backend is asked first; an answer
 *  that must be written has no one below the generator, and goes up to the backend. */
export function fallBack(failed: RouteDecision, code: string, left: Left): RouteDecision | null {
  const next = nextAfter(failed, code, left);
  return next && { ...next, standIn: true };
}

function nextAfter(failed: RouteDecision, code: string, left: Left): RouteDecision | null {
  const what = failed.rung ?? (failed.engine === "backend" ? "the backend" : "the generator");
  const reason = `${failed.reason}; ${what} failed (${code})`;
  if (failed.rung !== undefined) return toBackend(`${reason}, so the backend answers`);
  if (!left.reader) {
    const up = left.backend && failed.engine === "generator";
    return up ? toBackend(`${reason}, so the backend answers`) : null;
  }
  const wanted = failed.wanted ?? (failed.engine === "backend" ? "backend" : undefined);
  const next =
    left.generator && failed.engine === "backend"
      ? toGenerator(`${reason}, so the generator answers`)
      : toReader(`${reason}, so this is the edge's best evidence`);
  return wanted === undefined ? next : { ...next, wanted };
}

function explainHardness(input: RouteInput): string {
  if (input.difficulty === null) return `no memory was consulted${explainPrior(input)}`;
  if (input.abstained) return "the reader found no answer in the passages";
  return compare(input, ">");
}

function explainPrior({ prior }: RouteInput): string {
  if (prior === null) return "";
  const { difficulty, threshold } = prior;
  if (threshold < 0) return `; by the prompt alone, difficulty ${fixed(difficulty)}`;
  const sign = difficulty <= threshold ? "<=" : ">";
  return `; by the prompt alone, difficulty ${fixed(difficulty)} ${sign} ${fixed(threshold)}`;
}

function compare({ difficulty, threshold, weighed, unread }: RouteInput, sign: "<=" | ">"): string {
  const why = weighed === "" ? "" : ` (${weighed})`;
  const how = unread ? " before anything was read" : "";
  return `difficulty ${fixed(difficulty!)} ${sign} ${fixed(threshold)}${how}${why}`;
}

function fixed(probability: number): string {
  return probability.toFixed(3);
}
