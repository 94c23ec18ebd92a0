/** What the attempts of one answer share. */
import { cutText } from "../../index/cut.ts";
import { loggedOf, ServiceError } from "../errors.ts";
import { BACKEND_ATTEMPTS_MAX } from "../limits.ts";
import type { BackendFailure } from "./backend-failure.ts";
import type { Member } from "./backend-member.ts";
import type { AttemptKind, BackendAttempt, EngineRequest } from "./engine.ts";

interface BegunAttempt {
  /** For its request's header; undefined where nobody watches. */
  traceparent: string | undefined;
  /** With the HTTP status where there was one. */
  end(outcome: BackendAttempt["outcome"], status?: number | null): BackendAttempt;
}

/** One answer's attempts, their common deadline, and what came of them. */
export class BackendCall {
  readonly request: EngineRequest;
  readonly attempts: BackendAttempt[];
  /** The last failure of each backend that was asked. */
  readonly failures = new Map<Member, BackendFailure>();
  /** Backends whose first token is being waited for. */
  readonly asking = new Set<Member>();
  readonly #now: () => number;
  readonly #deadline: number;

  /** `totalMs` is what all attempts may take together until the first token. */
  constructor(request: EngineRequest, totalMs: number, now: () => number) {
    this.request = request;
    this.attempts = request.attempts ?? [];
    this.#now = now;
    this.#deadline = now() + totalMs;
  }

  remainingMs(): number {
    return Math.max(0, this.#deadline - this.#now());
  }

  spent(): boolean {
    return this.attempts.length >= BACKEND_ATTEMPTS_MAX || this.remainingMs() === 0;
  }

  /** Whether asking this one can still help. */
  hopeful(member: Member): boolean {
    return this.failures.get(member)?.again ?? true;
  }

  /** Notes an attempt that begins; `end` notes how it ended. */
  begin(member: Member): BegunAttempt {
    const start = this.#now();
    const watch = this.request.watch?.begin(member.name, member.config.model, this.#kind(member));
    const attempt: BackendAttempt = { backend: member.name, outcome: "abandoned", ms: 0 };
    this.attempts.push(attempt);
    this.asking.add(member);
    const end: BegunAttempt["end"] = (outcome, status = null) => {
      this.asking.delete(member);
      attempt.outcome = outcome;
      attempt.ms = Math.round(this.#now() - start);
      watch?.end(outcome, status);
      return attempt;
    };
    return { traceparent: watch?.traceparent, end };
  }

  /** Why the attempt is made. */
  #kind(member: Member): AttemptKind {
    if (this.asking.size > 0) return "hedge";
    if (this.failures.has(member)) return "retry";
    return this.attempts.length > 0 ? "fallback" : "first";
  }

  /** Why no backend answered: the one failure as it is, or what each of several said. */
  failure(members: readonly Member[]): ServiceError {
    const failures = [...this.failures];
    if (members.length === 1 && failures.length === 1) return failures[0]![1];
    const said = failures.map(([member, { message }]) => `${member.name}: ${message}`);
    const logged = failures.map(([member, failure]) => `${member.name}: ${loggedOf(failure)}`);
    const others = members.filter((member) => !this.failures.has(member));
    const full = others.filter((member) => member.unwell() === null && member.full() !== null);
    const unasked = others.map((m) => `${m.name}: ${m.unwell() ?? m.full() ?? "it was not asked"}`);
    const facts = cutText([...said, ...unasked].join("; "), MESSAGE_CHARS);
    if (failures.length === 0 && full.length > 0)
      return new ServiceError("backend_busy", `no backend has a free place: ${facts}`);
    const late = failures.length > 0 && failures.every(([, { kind }]) => kind === "timed_out");
    const code = late ? "backend_timeout" : "backend_unavailable";
    const cause = failures.at(-1)?.[1];
    const lines = cutText([...logged, ...unasked].join("; "), MESSAGE_CHARS);
    return new ServiceError(code, `no backend could answer: ${facts}`, {
      cause,
      logged: `no backend could answer: ${lines}`,
    });
  }
}

const MESSAGE_CHARS = 1_000;
