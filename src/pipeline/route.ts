/** Where a question goes, as a pure function of what is known. */

export interface RouteInput {
  /** What the caller asked for. */
  model: "auto" | "edge" | "backend";
  /** P(the edge answer is not good enough), 0..1; null when the edge was not asked. */
  difficulty: number | null;
  /** The largest difficulty that the edge may keep, 0..1. */
  threshold: number;
  backendConfigured: boolean;
  /** Why only a backend can serve the request (tools, images, ...); null when the edge can. */
  backendOnly: string | null;
  /** Whether the reader found no answer in the passages. */
  abstained: boolean;
}

export interface RouteDecision {
  route: "edge" | "backend";
  /** Set when a backend was wanted but none is configured. */
  wanted?: "backend";
  reason: string;
}

/** Decides. Never throws: requests that no engine can serve are refused before this point. */
export function decideRoute(input: RouteInput): RouteDecision {
  if (input.model === "backend") return { route: "backend", reason: "the request named a backend" };
  if (input.model === "edge") return { route: "edge", reason: "the request named the edge" };
  if (input.backendOnly !== null)
    return { route: "backend", reason: `${input.backendOnly} needs a backend` };
  const { difficulty, threshold } = input;
  if (difficulty !== null && difficulty <= threshold)
    return { route: "edge", reason: `difficulty ${fixed(difficulty)} <= ${fixed(threshold)}` };
  const why = explainHardness(input);
  if (input.backendConfigured) return { route: "backend", reason: why };
  const honest = `${why}; no backend is configured, so this is the edge's best evidence`;
  return { route: "edge", wanted: "backend", reason: honest };
}

function explainHardness(input: RouteInput): string {
  if (input.difficulty === null) return "no memory was consulted";
  if (input.abstained) return "the reader found no answer in the passages";
  return `difficulty ${fixed(input.difficulty)} > ${fixed(input.threshold)}`;
}

function fixed(probability: number): string {
  return probability.toFixed(3);
}
