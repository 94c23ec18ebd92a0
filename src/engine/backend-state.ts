/** What an isolate knows of its backends from one request to the next. */
import { BACKENDS_MAX } from "../limits.ts";
import { Circuit, type Pass } from "./backend-circuit.ts";
import type { BackendFailure, FailureKind } from "./backend-failure.ts";
import { Slots } from "./backend-slots.ts";
import type { Usage } from "./engine.ts";

/** How one attempt ended. */
export type AttemptOutcome =
  | FailureKind
  /** It had its first token. */
  | "answered"
  /** Its caller left before that, or another backend was faster. */
  | "abandoned";

/** Since the isolate began. */
export interface BackendCounts {
  attempts: Record<AttemptOutcome, number>;
  /** Answers that broke off after their first token. */
  broken: number;
  /** Of the attempts that were answered, together. */
  firstTokenMs: number;
  promptTokens: number;
  completionTokens: number;
}

/** The figures of /admin/metrics. */
export interface BackendFigures extends BackendCounts {
  name: string;
  circuit: Circuit["state"];
  inFlight: number;
  waiting: number;
}

export class BackendState {
  readonly slots: Slots;
  readonly circuit: Circuit;
  readonly counts: BackendCounts = {
    attempts: {
      answered: 0,
      failed: 0,
      timed_out: 0,
      rate_limited: 0,
      refused: 0,
      abandoned: 0,
    },
    broken: 0,
    firstTokenMs: 0,
    promptTokens: 0,
    completionTokens: 0,
  };

  constructor(now: () => number = Date.now, random: () => number = Math.random) {
    this.slots = new Slots(now);
    this.circuit = new Circuit(now, random);
  }

  answered(pass: Pass, firstTokenMs: number): void {
    this.circuit.succeeded(pass);
    this.counts.attempts.answered++;
    this.counts.firstTokenMs += firstTokenMs;
  }

  /** A backend that refuses a request is well; one that says when to come back is too, but is left
   *  alone until then; every other failure counts against it, and so does a 429 that may be asked
   *  again at once: nothing else would end a row of those. */
  failed(pass: Pass, { kind, retryAfterMs }: BackendFailure): void {
    const holdMs = retryAfterMs ?? 0;
    this.counts.attempts[kind]++;
    if (kind === "refused") this.circuit.succeeded(pass);
    else if (kind === "rate_limited" && holdMs > 0) this.circuit.held(pass, holdMs);
    else {
      this.circuit.failed(pass);
      if (holdMs > 0) this.circuit.held({ probe: false }, holdMs);
    }
  }

  abandoned(pass: Pass): void {
    this.circuit.abandoned(pass);
    this.counts.attempts.abandoned++;
  }

  /** The answer broke off after its first token. */
  broke(): void {
    this.circuit.failed({ probe: false });
    this.counts.broken++;
  }

  used(usage: Usage): void {
    this.counts.promptTokens += usage.prompt_tokens;
    this.counts.completionTokens += usage.completion_tokens;
  }

  figures(name: string): BackendFigures {
    const { circuit, slots, counts } = this;
    const { taken: inFlight, waiting } = slots;
    return { name, circuit: circuit.state, inFlight, waiting, ...counts };
  }
}

const states = new Map<string, BackendState>();

/** The isolate's state of the backend of that name. A deployment's names do not change while an
 *  isolate lives; locally and in tests they may, and the one unused for longest is forgotten. */
export function stateOf(name: string): BackendState {
  const state = states.get(name) ?? new BackendState();
  states.delete(name);
  if (states.size >= BACKENDS_MAX) states.delete(states.keys().next().value!);
  states.set(name, state); // behind all others
  return state;
}
