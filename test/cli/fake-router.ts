/** The router's endpoints of the fake service: an edge whose features say how likely it is wrong,
 *  with a difficulty that does not listen to them, so that there is something to learn. */
import type { IncomingHttpHeaders } from "node:http";
import type { RecordedOutcome } from "../../cli/router-outcomes.ts";
import { mulberry32 } from "../../eval/random.ts";
import type { Drift, RouterState, RungState } from "../../src/pipeline/learning-types.ts";
import { FEATURES } from "../../src/router/features.ts";
import { NO_SHADOWS, type VersionInfo } from "../../src/router/router-types.ts";
import type { Target } from "../../src/router/target.ts";

export interface Reply {
  status: number;
  body: unknown;
}

const UNTESTED = {
  ...{ alarm: false, promised: 0.2, labels: 0, wrong: 0 },
  ...{ log_evidence: 0, log_evidence_alarm: 5.3 },
};
const QUIET: Drift = {
  alarm: false,
  since: null,
  difficulty: {
    ...{ alarm: false, questions: 12, window: 500, windows: 0 },
    ...{ distance: null, bound: null },
  },
  risk: UNTESTED,
  feedback: UNTESTED,
};

export class FakeRouter {
  target: Target = { max_risk: 0.2, confidence: 0.95 };
  threshold = 0.3;
  /** Newest last; the last one is active. */
  versions: string[] = ["difficulty-shipped"];
  /** That serves. */
  version = "shipped";
  drift: Drift = QUIET;
  engines: RungState[] = [];
  outcomes: RecordedOutcome[] = [];
  /** Bodies that came with the last calibration and the last version. */
  calibrated: { labels?: object[]; abstained?: number; replace?: boolean } | null = null;
  sent: Record<string, unknown> | null = null;
  /** Questions that were asked, in their order. */
  readonly asked: Record<string, unknown>[] = [];
  /** What their x-brink-cache said. */
  readonly cacheWishes = new Set<string | undefined>();
  /** Left out of the features that are told. */
  untold = "";
  readonly pageSize = 3;

  /** The reply, or null where the endpoint is no part of the router. */
  route(method: string, url: URL, body: string, headers: IncomingHttpHeaders): Reply | null {
    const sent = () => JSON.parse(body) as Record<string, unknown>;
    switch (`${method} ${url.pathname}`) {
      case "POST /v1/chat/completions":
        this.cacheWishes.add(headers["x-brink-cache"]?.toString());
        return { status: 200, body: { brink: this.#answer(sent()) } };
      case "GET /admin/router":
        return { status: 200, body: this.#state() };
      case "GET /admin/router/versions":
        return { status: 200, body: { versions: this.#versions() } };
      case "GET /admin/router/outcomes":
        return { status: 200, body: this.#page(url.searchParams) };
      case "POST /admin/router/calibrate":
        this.calibrated = sent();
        this.threshold = 0.42;
        return { status: 200, body: this.#state() };
      case "POST /admin/router/versions":
        return this.#take(sent());
      case "POST /admin/router/rollback":
        return this.#rollBack(String(sent().version));
      default:
        return null;
    }
  }

  #state(): RouterState {
    return {
      target: this.target,
      threshold: this.threshold,
      weights_version: this.versions.at(-1)!,
      version: this.version,
      unfit: null,
      calibration: { version: "calibration-1", source: "shipped", labels: 417, abstained: 83 },
      expected: {
        ...{ coverage: 0.52, risk: 0.081, risk_upper: 0.119 },
        ...{ backend_share: 0.48, usd_per_1k: null },
      },
      drift: this.drift,
      ...{ shadow_rate: 0.05, shadow: { ...NO_SHADOWS, sent: 40, failed: 1, prompt_tokens: 900 } },
      ...{ keep_text: true, auto_calibrate: false, outcomes: 7 },
      labels: { backend: 39, feedback: 2 },
      engines: this.engines,
    };
  }

  #versions(): VersionInfo[] {
    return this.versions.map((version, i) => ({
      ...{ version, created_at: i === 0 ? null : Date.UTC(2026, 10, 30), source: "upload" },
      ...{ note: i === 0 ? null : "mine", weights_version: `${version}-weights` },
      ...{ labels: 417, abstained: 83, active: i === this.versions.length - 1 },
    }));
  }

  #answer(body: Record<string, unknown>) {
    this.asked.push(body);
    const [{ content }] = body.messages as [{ content: string }];
    const n = Number(/\d+/.exec(content)?.[0] ?? 0);
    const citations = [{ document_id: `doc-${n % 30}` }];
    const random = mulberry32(n + 1);
    const features = Object.fromEntries(FEATURES.map((name) => [name, random() * 2 - 1]));
    features.asks_number = n % 3 === 0 ? 1 : 0;
    for (const name of FEATURES)
      if (name.startsWith("asks_") && name !== "asks_number") features[name] = 0;
    const right = random() > 1 / (1 + Math.exp(1 + 3 * features.span_share!));
    if (n % 11 === 0) return { answer: null, difficulty: 1, citations: [], features };
    delete features[this.untold];
    return { answer: right ? `${n}` : "no", difficulty: random(), features, citations };
  }

  #page(query: URLSearchParams) {
    const from = Number(query.get("cursor") ?? 0);
    const all = this.outcomes.filter(({ label }) => label !== null || !query.has("labelled"));
    const next = from + this.pageSize;
    return { outcomes: all.slice(from, next), cursor: next < all.length ? String(next) : null };
  }

  #take(body: Record<string, unknown>): Reply {
    this.sent = body;
    const { version } = body.model as { version: string };
    this.versions.push(version);
    return { status: 200, body: { version, active: true } };
  }

  #rollBack(version: string): Reply {
    const at = this.versions.indexOf(version);
    const error = { message: `no version ${version}`, code: "not_found", type: "x", param: null };
    if (at === -1) return { status: 404, body: { error } };
    this.versions.push(this.versions.splice(at, 1)[0]!);
    return { status: 200, body: this.#state() };
  }
}
