/** The tending of a tenant's router: between what the API asks and the object that keeps it. */
import { DRIFT_ALARM_PROBABILITY, DRIFT_WINDOW } from "../limits.ts";
import {
  chooseThreshold,
  confidenceOf,
  type LabelledScore,
  readCalibration,
} from "../router/calibration.ts";
import { curveOf, histogramOf, reliabilityOf } from "../router/curves.ts";
import type { RiskState } from "../router/drift.ts";
import { isAlarmed, promisedRisk } from "../router/drift-watch.ts";
import { ladderOf, scoresAbove } from "../router/ladder.ts";
import { riskUpperBound } from "../router/risk.ts";
import type { RouterObject } from "../router/router-object.ts";
import type { DriftState, RouterOverview, RouterSettings } from "../router/router-types.ts";
import { SHIPPED_FILE } from "../router/shipped.ts";
import { type Prices, shareWithin, type Target } from "../router/target.ts";
import type {
  CalibrateRequest,
  Drift,
  RiskTest,
  RouterAdmin,
  RouterCurves,
  RouterPreview,
  RouterState,
  RungState,
  VersionRequest,
} from "./learning-types.ts";
import { keepable, type RouterStates } from "./router-state.ts";
import type { RungEngine } from "./rungs.ts";
import type { Caller } from "./types.ts";

export class TenantRouter implements RouterAdmin {
  readonly #object: (tenant: string) => DurableObjectStub<RouterObject>;
  readonly #states: Pick<RouterStates, "forget">;
  readonly #prices: Prices | null;
  readonly #engines: readonly RungEngine[];
  readonly #settled: (tenant: string) => Promise<void>;

  /** `settled` sends on what this isolate has not told a tenant's router of yet. */
  constructor(
    object: (tenant: string) => DurableObjectStub<RouterObject>,
    states: Pick<RouterStates, "forget">,
    prices: Prices | null,
    engines: readonly RungEngine[],
    settled: (tenant: string) => Promise<void>,
  ) {
    this.#settled = settled;
    this.#object = object;
    this.#states = states;
    this.#prices = prices;
    this.#engines = engines;
  }

  async get({ tenant }: Caller): Promise<RouterState> {
    await this.#settled(tenant);
    return this.#describe(await this.#object(tenant).overview());
  }

  async put(caller: Caller, changes: Partial<RouterSettings>): Promise<RouterState> {
    const { target } = changes;
    if (target !== undefined && "budget_usd_per_1k" in target)
      shareWithin(target.budget_usd_per_1k, this.#prices);
    await this.#settled(caller.tenant);
    await this.#object(caller.tenant).putSettings(changes);
    return this.#changed(caller);
  }

  async preview({ tenant }: Caller, target: Target): Promise<RouterPreview> {
    const { model } = await this.#object(tenant).overview();
    const set = readCalibration((model ?? SHIPPED_FILE).calibration);
    return { target, ...chooseThreshold(target, set, this.#prices) };
  }

  async curves({ tenant }: Caller): Promise<RouterCurves> {
    const { model, settings } = await this.#object(tenant).overview();
    const set = readCalibration((model ?? SHIPPED_FILE).calibration);
    return {
      points: curveOf(set, this.#prices, confidenceOf(settings.target)),
      reliability: reliabilityOf(set.scores),
      histogram: histogramOf(set.scores),
    };
  }

  async calibrate(caller: Caller, request: CalibrateRequest): Promise<RouterState> {
    await this.#settled(caller.tenant);
    await this.#object(caller.tenant).calibrate(request);
    return this.#changed(caller);
  }

  versions({ tenant }: Caller) {
    return this.#object(tenant).versions();
  }

  async addVersion({ tenant }: Caller, { model, note, activate }: VersionRequest) {
    const version = await this.#object(tenant).addVersion(model, note, activate);
    this.#states.forget(tenant);
    return { version, weights_version: model.version, active: activate };
  }

  async rollBack(caller: Caller, version: string): Promise<RouterState> {
    await this.#object(caller.tenant).rollBack(version);
    return this.#changed(caller);
  }

  async outcomes(
    { tenant }: Caller,
    { limit, cursor, labelled }: Parameters<RouterAdmin["outcomes"]>[1],
  ) {
    await this.#settled(tenant);
    return this.#object(tenant).outcomes(limit, cursor, labelled);
  }

  async forgetOutcomes({ tenant }: Caller): Promise<number> {
    await this.#settled(tenant);
    return this.#object(tenant).forget(null);
  }

  async drift(caller: Caller): Promise<Drift> {
    return (await this.get(caller)).drift;
  }

  #changed(caller: Caller): Promise<RouterState> {
    this.#states.forget(caller.tenant);
    return this.get(caller);
  }

  #describe(overview: RouterOverview): RouterState {
    const { settings, version, unfit, model, drift, shadow, labels, outcomes } = overview;
    const { version: weights_version, calibration } = model ?? SHIPPED_FILE;
    const set = readCalibration(calibration);
    const target = keepable(settings.target, this.#prices);
    const { threshold, expected } = chooseThreshold(target, set, this.#prices);
    return {
      ...settings,
      ...{ threshold, weights_version, version, unfit, expected, shadow, labels, outcomes },
      engines: this.#describeEngines(overview, target, threshold),
      calibration: {
        version: set.version,
        source: model === null ? "shipped" : "own",
        labels: set.scores.length,
        abstained: set.abstained,
      },
      drift: describeDrift(drift, promisedRisk({ target, set }, threshold)),
    };
  }

  #describeEngines(
    { engines: sets, collected }: RouterOverview,
    target: Target,
    readerThreshold: number,
  ): RungState[] {
    const names = this.#engines.map(({ engine }) => engine);
    const ladder = ladderOf(target, readerThreshold, names, sets);
    let below = readerThreshold;
    return this.#engines.map(({ engine, usd_per_1k }) => {
      const own = collected.find((set) => set.engine === engine)?.scores ?? [];
      const used = sets.find((set) => set.engine === engine)?.scores ?? [];
      const threshold = ladder.find((rung) => rung.engine === engine)?.threshold ?? null;
      const within = scoresAbove(below, used).filter(
        ({ difficulty }) => threshold !== null && difficulty <= threshold,
      );
      below = threshold ?? below;
      return {
        ...{ engine, usd_per_1k, labels: own.length, threshold },
        wrong: own.filter((score) => score.wrong).length,
        kept: threshold === null ? null : describeKept(within, target),
      };
    });
  }
}

/** Of a rung's labels, those that it keeps. */
function describeKept(scores: readonly LabelledScore[], target: Target): RungState["kept"] {
  const wrong = scores.filter((score) => score.wrong).length;
  const risk_upper = riskUpperBound(scores.length, wrong, confidenceOf(target));
  return { labels: scores.length, wrong, risk_upper };
}

function describeDrift(state: DriftState, promised: number): Drift {
  const { shift, since } = state;
  return {
    alarm: isAlarmed(state),
    since,
    difficulty: {
      alarm: shift.alarm,
      questions: shift.window.reduce((sum, count) => sum + count, 0),
      window: DRIFT_WINDOW,
      windows: shift.tests,
      distance: shift.distance,
      bound: shift.bound,
    },
    risk: describeTest(state.backend, promised),
    feedback: describeTest(state.feedback, promised),
  };
}

function describeTest(state: RiskState | null, promised: number): RiskTest {
  return {
    alarm: state?.alarm ?? false,
    promised: state?.risk ?? promised,
    labels: state?.labels ?? 0,
    wrong: state?.wrong ?? 0,
    log_evidence: state?.log_wealth ?? 0,
    log_evidence_alarm: Math.log(1 / DRIFT_ALARM_PROBABILITY),
  };
}
