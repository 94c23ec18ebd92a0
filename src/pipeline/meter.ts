/** One request's use: what it may take, what it takes, and what is recorded of that. */
import { utf8Length } from "../../index/bytes.ts";
import type {
  BackendAttempt,
  Engine,
  EnginePiece,
  EngineRequest,
  Served,
  Usage,
} from "../engine/engine.ts";
import { READER_ID } from "../engine/reader.ts";
import type { BackendPrices } from "../env.ts";
import { codeOf, ServiceError } from "../errors.ts";
import type { Admission, Budget, Rates, Reservation } from "../ledger/quota-types.ts";
import type { KeyRecord } from "../ledger/types.ts";
import type { UsageCounts } from "../ledger/usage-object.ts";
import { SETTLE_ATTEMPTS_MAX, SETTLE_PAUSE_MS } from "../limits.ts";
import { reachLedger, reachOrAllow } from "./ledger-call.ts";
import { NOTE_ID } from "./notes.ts";
import { buildPrompt } from "./prompt.ts";
import type { Trace } from "./trace.ts";
import type { AnswerStream, Caller } from "./types.ts";
import * as usage from "./usage.ts";
import { type UsageSink, usageLog } from "./usage-log.ts";

/** A key's object of limits, over object RPC. */
export interface QuotaPort {
  admit(rates: Rates, tokens: number): Promise<Admission>;
  correctTokens(second: number, delta: number): Promise<void>;
  reserve(id: string, nanos: number, budget: Budget): Promise<Reservation>;
  settle(id: string, nanos: number): Promise<boolean>;
}

export interface MeterDeps extends UsageSink {
  prices: usage.PriceList;
  /** What becomes of a request whose limits cannot be asked for. */
  unreachable: "deny" | "allow";
  quota: (tenant: string, key: string) => QuotaPort;
  /** Told of what the request used, and of the time that a budget takes. */
  trace?: Trace;
}

/** The name under which the use of the fixed keys, which have no limits, is recorded. */
export const FIXED_KEY = "operator";

export class Meter {
  readonly #deps: MeterDeps;
  readonly #caller: Caller;
  /** How the request's tokens were counted before its answer; null where they have no limit. */
  #counted: { second: number; tokens: number } | null = null;

  constructor(deps: MeterDeps, caller: Caller) {
    this.#deps = deps;
    this.#caller = caller;
  }

  /** Counts a request of about so many tokens against the key's rates. Null where it has none.
   *  Throws `ledger_unavailable`. */
  async admit(tokens: number): Promise<Admission | null> {
    const { key } = this.#caller;
    const limited = key && (key.requests_per_minute ?? key.tokens_per_minute) !== null;
    const admission = limited
      ? await reachOrAllow<Admission | null>(
          this.#deps.unreachable,
          () => this.#quota(key).admit(ratesOf(key), tokens),
          () => null,
        )
      : null;
    const refused = admission !== null && admission.refused !== null;
    this.#record({ requests: 1, refused: refused ? 1 : 0 });
    if (admission?.tokens && !refused)
      this.#counted = {
        second: admission.second,
        tokens: Math.min(tokens, admission.tokens.limit),
      };
    return admission;
  }

  /** Counts what was used, and for how many nano-USD; null where the price is not known. */
  used(tokens: usage.Tokens, price: number | null = 0): void {
    const { prompt_tokens, completion_tokens } = tokens;
    const nanos = price ?? 0;
    this.#deps.trace?.used(prompt_tokens, completion_tokens, price);
    this.#record({ prompt_tokens, completion_tokens, nanos });
    if (this.#counted === null) return;
    const delta = prompt_tokens + completion_tokens - this.#counted.tokens;
    this.#counted.tokens = 0; // what a second engine takes comes on top
    const { second } = this.#counted;
    const correct = () => this.#quota(this.#caller.key!).correctTokens(second, delta);
    // Where it fails, a minute's rate is a little off; no money is.
    if (delta !== 0) this.#deps.keepAlive(reachLedger(correct).catch(() => {}));
  }

  /** The same engine; what it takes is counted, and under a budget held before and settled after.
   *  Its answers throw `insufficient_quota` first where the budget leaves too little. */
  engine<E extends Engine | null>(engine: E): E {
    return (engine === null ? null : new MeteredEngine(engine, this)) as E;
  }

  /** The same answer; where the edge's own reader or notes gave it, what it took is counted, and
   *  paid for where the edge has a price. One that was given before costs nothing. Throws
   *  `insufficient_quota`. */
  async own(stream: AnswerStream): Promise<AnswerStream> {
    if (stream.cache === "hit" || stream.cache === "semantic") {
      this.used({ prompt_tokens: 0, completion_tokens: 0 });
      return stream;
    }
    const { engine } = stream.report();
    if (engine !== READER_ID && engine !== NOTE_ID) return stream; // its own meter counts
    const rest = stream.pieces[Symbol.asyncIterator]();
    const { first, tokens } = await untilUsage(rest);
    const nanos = usage.priceOf(this.#deps.prices, engine, tokens) ?? 0;
    const id = await this.hold(nanos).catch(async (error) => {
      await rest.return?.(); // it never ends by itself, so that no cache keeps it
      throw error;
    });
    this.used(tokens, nanos);
    if (id !== null) this.settle(id, nanos);
    return { ...stream, pieces: resumed(first, rest) };
  }

  get prices(): usage.PriceList {
    return this.#deps.prices;
  }

  get hasBudget(): boolean {
    return this.#caller.key !== undefined && this.#caller.key.budget_usd !== null;
  }

  /** Holds so much of the budget; null where nothing needs to be. Throws `insufficient_quota`,
   *  `ledger_unavailable`. */
  async hold(nanos: number): Promise<string | null> {
    const { key } = this.#caller;
    if (key === undefined || key.budget_usd === null || nanos === 0) return null;
    const id = crypto.randomUUID();
    const budget = {
      nanos: Math.floor(key.budget_usd * usage.NANOS_PER_USD),
      period: key.budget_period,
    };
    const span = this.#deps.trace?.begin("budget");
    const reservation = await reachOrAllow<Reservation | null>(
      this.#deps.unreachable,
      () => this.#quota(key).reserve(id, nanos, budget),
      () => null,
    ).catch((error) => {
      if (codeOf(error) === "ledger_unavailable") this.settle(id, 0); // it may be held all the same
      throw error;
    });
    span?.end();
    if (reservation?.held !== false) return id;
    this.#record({ refused: 1 });
    throw new ServiceError("insufficient_quota", explain(key, nanos, reservation));
  }

  /** Ends what was held, in the time after the reply. It is tried SETTLE_ATTEMPTS_MAX times; where
   *  all fail, it lapses. */
  settle(id: string, nanos: number): void {
    this.#deps.keepAlive(this.#settle(id, nanos));
  }

  async #settle(id: string, nanos: number): Promise<void> {
    for (let attempt = 1; attempt <= SETTLE_ATTEMPTS_MAX; attempt++) {
      try {
        await reachLedger(() => this.#quota(this.#caller.key!).settle(id, nanos));
        return;
      } catch {
        if (attempt === SETTLE_ATTEMPTS_MAX) break;
        const pauseMs = SETTLE_PAUSE_MS * 2 ** (attempt - 1);
        await new Promise((done) => setTimeout(done, pauseMs));
      }
    }
    const key = this.#caller.key!.id;
    console.error(JSON.stringify({ event: "use of a budget not settled", key, nanos }));
  }

  #quota(key: KeyRecord): QuotaPort {
    return this.#deps.quota(key.tenant, key.id);
  }

  #record(counts: Partial<UsageCounts>): void {
    const { tenant, key } = this.#caller;
    usageLog.note(tenant, key?.id ?? FIXED_KEY, counts, this.#deps);
  }
}

class MeteredEngine implements Engine {
  readonly kind: Engine["kind"];
  readonly id: string;
  readonly model: string;
  readonly #engine: Engine;
  readonly #meter: Meter;

  constructor(engine: Engine, meter: Meter) {
    this.kind = engine.kind;
    this.id = engine.id;
    this.model = engine.model;
    this.#engine = engine;
    this.#meter = meter;
  }

  async *answer(asked: EngineRequest): AsyncGenerator<EnginePiece> {
    const meter = this.#meter;
    const { request, held } = await this.#hold(asked);
    let told: Usage | null = null;
    let served: Served | undefined;
    let bytes = 0;
    let began = false;
    const hidden = (more: number) => {
      bytes += more;
    };
    const attempts: BackendAttempt[] = [];
    try {
      for await (const piece of this.#engine.answer({ ...request, hidden, attempts })) {
        began = true;
        bytes += bytesOf(piece);
        told = piece.usage ?? told;
        served ??= piece.served;
        yield piece;
      }
    } finally {
      const guess = () => usage.guessTokens(this.#prompted(request), bytes);
      const tokens = began ? (told ?? guess()) : this.#unheard(request.signal, bytes, guess);
      const prices = served ? usage.pricesOf(meter.prices, served.id) : this.#dearest;
      const own = prices && usage.nanosOf(prices, tokens);
      const lost = lostOf(attempts, meter.prices, () => guess().prompt_tokens);
      const all = lost.reduce((sum, { nanos }) => sum + nanos, own ?? 0);
      // Not every backend keeps to the bound that it was sent: what it wrote beyond is paid for, or
      // a budget would bound nothing. What it only says that it used is not.
      const wrote = () => {
        const known = { ...guess(), completion_tokens: Math.min(tokens.completion_tokens, bytes) };
        return prices === null ? 0 : usage.nanosOf(prices, known);
      };
      const within = held === null || all <= held.nanos;
      const nanos = within ? all : Math.min(all, Math.max(held.nanos, wrote()));
      const inAll = usage.sum([tokens, ...lost.map((one) => one.tokens)]);
      const some = began || inAll.prompt_tokens + inAll.completion_tokens > 0;
      if (some) meter.used(inAll, own === null ? null : nanos);
      if (held !== null) meter.settle(held.id, nanos);
    }
  }

  get #dearest(): BackendPrices | null {
    return usage.dearestOf(this.#meter.prices, this.#engine);
  }

  /** What an engine took that gave no piece, beside its attempts: a backend what it reasoned, and a
   *  generator that was left may have read. One that refused took nothing. */
  #unheard(signal: AbortSignal, bytes: number, guess: () => usage.Tokens): usage.Tokens {
    if (this.kind === "backend") return bytes > 0 ? { ...guess(), prompt_tokens: 0 } : NO_TOKENS;
    return signal.aborted ? guess() : NO_TOKENS;
  }

  /** The request with the messages that its engine reads: a generator puts the passages into its
   *  prompt by itself, and as many as fit; all are counted. */
  #prompted(asked: EngineRequest): EngineRequest {
    if (this.kind !== "generator") return asked;
    const { messages } = buildPrompt(asked.messages, asked.hits, () => 0, { place: "first" });
    return { ...asked, messages };
  }

  /** Holds the most that the answer can cost, and gives the request the bound that makes it so. */
  async #hold(asked: EngineRequest): Promise<{ request: EngineRequest; held: Held | null }> {
    if (!this.#meter.hasBudget) return { request: asked, held: null };
    const unpriced = this.kind === "backend" ? usage.unpricedOf(asked) : null;
    if (unpriced !== null)
      throw new ServiceError(
        "unsupported_parameter",
        `${unpriced.what}: a key with a budget cannot ask for what the configured prices do not ` +
          "cover",
        { param: unpriced.param },
      );
    const prices = this.#dearest;
    if (prices === null)
      throw new ServiceError(
        "misconfigured",
        `this key has a budget, but what ${this.id} charges is not known: set ` +
          "BACKEND_PRICE_INPUT_PER_MTOK and BACKEND_PRICE_OUTPUT_PER_MTOK, or with BACKENDS the " +
          "prices of each",
      );
    const one = usage.nanosOf(prices, usage.mostTokens(this.#prompted(asked)));
    const most = asked.hedgeMs == null ? one : 2 * one; // two may be asked
    if (most === 0) return { request: asked, held: null };
    const request = { ...asked, parameters: usage.withBound(asked.parameters) };
    const id = await this.#meter.hold(most);
    return { request, held: id === null ? null : { id, nanos: most } };
  }
}

/** What is held of a budget. */
interface Held {
  id: string;
  nanos: number;
}

/** What attempts used that did not answer: what they told, else the prompt where they may have read
 *  it. */
function lostOf(
  attempts: readonly BackendAttempt[],
  prices: usage.PriceList,
  promptTokens: () => number,
) {
  return attempts.flatMap(({ backend, outcome, usage: told }) => {
    const read = outcome === "timed_out" || outcome === "abandoned";
    if (told === undefined && !read) return [];
    const tokens = told ?? { prompt_tokens: promptTokens(), completion_tokens: 0 };
    return [{ tokens, nanos: usage.priceOf(prices, `backend:${backend}`, tokens) ?? 0 }];
  });
}

const NO_TOKENS = { prompt_tokens: 0, completion_tokens: 0 };

function bytesOf({ text, tool_calls }: EnginePiece): number {
  return utf8Length(text) + (tool_calls === undefined ? 0 : utf8Length(JSON.stringify(tool_calls)));
}

/** The pieces up to the one that tells what was used: the reader's are two, and both are there. */
async function untilUsage(pieces: AsyncIterator<EnginePiece>) {
  const first: EnginePiece[] = [];
  for (let next = await pieces.next(); !next.done; next = await pieces.next()) {
    first.push(next.value);
    if (next.value.usage !== undefined) return { first, tokens: next.value.usage };
  }
  return { first, tokens: NO_TOKENS };
}

async function* resumed(first: EnginePiece[], rest: AsyncIterator<EnginePiece>) {
  try {
    yield* first;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

function ratesOf({ requests_per_minute, tokens_per_minute }: KeyRecord): Rates {
  return { requests_per_minute, tokens_per_minute };
}

const PERIODS = { day: "a day", month: "a month", total: "in all" };

function explain(key: KeyRecord, nanos: number, state: Reservation): string {
  const { spent_nanos, held_nanos, resets_at } = state;
  const anew = resets_at === null ? "" : `; it begins anew at ${new Date(resets_at).toISOString()}`;
  return (
    `this key's budget of USD ${key.budget_usd} ${PERIODS[key.budget_period]} leaves too little: ` +
    `${showUsd(spent_nanos)} are spent, ${showUsd(held_nanos)} held for answers under way, and ` +
    `this one can cost up to ${showUsd(nanos)}${anew}`
  );
}

function showUsd(nanos: number): string {
  return (nanos / usage.NANOS_PER_USD).toFixed(6);
}
