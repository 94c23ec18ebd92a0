/** Whether one backend is well enough to be asked, as one isolate has seen it. */
import {
  BACKEND_HOLD_MS_MAX,
  BACKEND_TOTAL_MS_MAX,
  CIRCUIT_FAILURE_RATE,
  CIRCUIT_OPEN_JITTER,
  CIRCUIT_OPEN_MS,
  CIRCUIT_OUTCOMES,
  CIRCUIT_OUTCOMES_MIN,
  CIRCUIT_WINDOW_MS,
} from "../limits.ts";

/** An attempt that the circuit let through; `probe` where it decides whether it closes. */
export interface Pass {
  readonly probe: boolean;
}

/** A circuit breaker, after Nygard, "Release It!", 2nd ed., 5.2: closed while most attempts
 *  succeed; open, for a time, once CIRCUIT_FAILURE_RATE of the last failed; then half-open, when
 *  one attempt at a time is let through, which closes it or opens it anew. Beside it a hold: a
 *  backend that said when to come back is left alone until then, and is none the worse for it. */
export class Circuit {
  readonly #now: () => number;
  readonly #random: () => number;
  /** The last outcomes, oldest first. */
  #outcomes: { at: number; failed: boolean }[] = [];
  /** Null while closed. */
  #openUntil: number | null = null;
  /** The probe under way counts as lost after its time is over. */
  #probeUntil = 0;
  #heldUntil = 0;

  constructor(now: () => number, random: () => number) {
    this.#now = now;
    this.#random = random;
  }

  get state(): "closed" | "open" | "half_open" {
    if (this.#openUntil === null) return "closed";
    return this.#now() < this.#openUntil ? "open" : "half_open";
  }

  /** How long until it may be asked, ms: 0 for now. */
  waitMs(): number {
    const now = this.#now();
    const open = this.#openUntil === null ? 0 : Math.max(this.#openUntil, this.#probeUntil);
    return Math.max(0, this.#heldUntil - now, open - now);
  }

  /** Why it may not be asked now, in words; null where it may. */
  why(): string | null {
    const seconds = Math.ceil(this.waitMs() / 1_000);
    if (seconds === 0) return null;
    if (this.#heldUntil > this.#now()) return `it asked to be left alone for ${seconds} s more`;
    if (this.state === "half_open") return "it failed often, and one request is trying it now";
    return `it failed often, and is left alone for ${seconds} s more`;
  }

  /** To be called when an attempt begins, where `why` is null; one of the four below ends it. */
  pass(): Pass {
    const probe = this.state === "half_open";
    if (probe) this.#probeUntil = this.#now() + BACKEND_TOTAL_MS_MAX;
    return { probe };
  }

  succeeded({ probe }: Pass): void {
    if (probe) {
      this.#openUntil = null;
      this.#probeUntil = 0;
      this.#outcomes = [];
    }
    this.#count(false);
  }

  failed({ probe }: Pass): void {
    this.#count(true);
    const failures = this.#outcomes.filter(({ failed }) => failed).length;
    const enough = this.#outcomes.length >= CIRCUIT_OUTCOMES_MIN;
    const often = enough && failures >= CIRCUIT_FAILURE_RATE * this.#outcomes.length;
    if (probe || (often && this.#openUntil === null)) this.#open();
  }

  /** It asked to be left alone for so long, ms. Of several the longest counts: they come in any
   *  order. */
  held({ probe }: Pass, ms: number): void {
    if (probe) this.#probeUntil = 0;
    const until = this.#now() + Math.min(ms, BACKEND_HOLD_MS_MAX);
    this.#heldUntil = Math.max(this.#heldUntil, until);
  }

  /** The attempt came to no end: its caller left, or another backend was faster. */
  abandoned({ probe }: Pass): void {
    if (probe) this.#probeUntil = 0;
  }

  #count(failed: boolean): void {
    const at = this.#now();
    const recent = this.#outcomes.filter((outcome) => at - outcome.at < CIRCUIT_WINDOW_MS);
    this.#outcomes = [...recent, { at, failed }].slice(-CIRCUIT_OUTCOMES);
  }

  #open(): void {
    const jitter = 1 + CIRCUIT_OPEN_JITTER * (2 * this.#random() - 1);
    this.#openUntil = this.#now() + CIRCUIT_OPEN_MS * jitter;
    this.#probeUntil = 0;
    this.#outcomes = [];
  }
}
