/** A router that stays the same, for tests of what the HTTP layer reads and writes. */
import { ServiceError } from "../../src/errors.ts";
import type { Drift, RouterAdmin, RouterState } from "../../src/pipeline/learning-types.ts";
import type { RecordedOutcome } from "../../src/router/router-types.ts";

const RISK = {
  ...{ alarm: false, promised: 0.2, labels: 7, wrong: 1 },
  ...{ log_evidence: -0.5, log_evidence_alarm: 4.605 },
};
const DRIFT: Drift = {
  ...{ alarm: true, since: 5 },
  difficulty: { alarm: true, questions: 3, window: 500, windows: 1, distance: 0.3, bound: 0.2 },
  ...{ risk: RISK, feedback: RISK },
};

export const ROUTER: RouterState = {
  ...{ target: { max_risk: 0.2 }, threshold: 0.4, weights_version: "w1", version: "shipped" },
  unfit: null,
  calibration: { version: "c1", source: "shipped", labels: 417, abstained: 30 },
  expected: { coverage: 0.5, risk: 0.1, risk_upper: 0.15, backend_share: 0.5, usd_per_1k: null },
  drift: DRIFT,
  ...{ shadow_rate: 0, keep_text: true, auto_calibrate: true },
  shadow: { sent: 0, failed: 0, dropped: 0, prompt_tokens: 0, completion_tokens: 0 },
  ...{ labels: { backend: 0, feedback: 0 }, engines: [], outcomes: 1 },
};

const OUTCOME: RecordedOutcome = {
  ...{ trace_id: "ab".repeat(16), at: 1, namespace: "docs", conversation: null },
  ...{ question: "When?", route: "edge", engine: "brink-reader", edge_answer: "3 May" },
  ...{ text: "3 May [1]", difficulty_before: null, difficulty: 0.2, features: { bm25_top: 1 } },
  ...{ threshold: 0.4, weights_version: "w1", cost_usd: null, notes: [] },
  passages: [{ document_id: "d1", passage_id: "d1#0", version: 1 }],
  ...{ rating: null, label: { wrong: false, source: "backend" } },
};

type Log = (name: string, ...args: unknown[]) => void;

export class FakeRouter implements RouterAdmin {
  readonly #note: Log;

  constructor(note: Log) {
    this.#note = note;
  }

  #done<T>(result: T, name: string, ...args: unknown[]): Promise<T> {
    this.#note(name, ...args);
    return Promise.resolve(result);
  }

  get(...args: Parameters<RouterAdmin["get"]>) {
    return this.#done(ROUTER, "getRouter", ...args);
  }

  put(...args: Parameters<RouterAdmin["put"]>) {
    return this.#done(ROUTER, "putRouter", ...args);
  }

  preview(...args: Parameters<RouterAdmin["preview"]>) {
    const { threshold, expected } = ROUTER;
    return this.#done({ target: args[1], threshold, expected }, "preview", ...args);
  }

  curves(...args: Parameters<RouterAdmin["curves"]>) {
    const { threshold, expected } = ROUTER;
    const curves = {
      points: [{ threshold, ...expected, accuracy: 0.9 }],
      reliability: [{ answers: 4, said: 0.3, wrong: { value: 0.25, low: 0.05, high: 0.7 } }],
      histogram: [{ from: 0, to: 0.05, right: 3, wrong: 1 }],
    };
    return this.#done(curves, "curves", ...args);
  }

  calibrate(...args: Parameters<RouterAdmin["calibrate"]>) {
    return this.#done(ROUTER, "calibrate", ...args);
  }

  versions(...args: Parameters<RouterAdmin["versions"]>) {
    const shipped = {
      ...{ version: "shipped", created_at: null, source: "shipped" as const, note: null },
      ...{ weights_version: "w1", labels: 417, abstained: 30, active: true },
    };
    return this.#done([shipped], "versions", ...args);
  }

  addVersion(...args: Parameters<RouterAdmin["addVersion"]>) {
    const { model, activate } = args[1];
    const added = { version: "v1", weights_version: model.version, active: activate };
    return this.#done(added, "addVersion", ...args);
  }

  async rollBack(...args: Parameters<RouterAdmin["rollBack"]>) {
    if (args[1] !== "shipped") throw new ServiceError("not_found", "no such version");
    return this.#done(ROUTER, "rollBack", ...args);
  }

  outcomes(...args: Parameters<RouterAdmin["outcomes"]>) {
    return this.#done({ outcomes: [OUTCOME], cursor: "7" }, "outcomes", ...args);
  }

  forgetOutcomes(...args: Parameters<RouterAdmin["forgetOutcomes"]>) {
    return this.#done(1, "forgetOutcomes", ...args);
  }

  drift(...args: Parameters<RouterAdmin["drift"]>) {
    return this.#done(DRIFT, "drift", ...args);
  }
}
