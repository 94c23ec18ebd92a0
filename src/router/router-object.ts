/** The Durable Object that a tenant's router learns in; each tenant has one of its name. */
import { DurableObject } from "cloudflare:workers";
import { ServiceError } from "../errors.ts";
import {
  AUTO_CALIBRATION_LABELS_MIN,
  AUTO_CALIBRATION_LABELS_STEP,
  CALIBRATION_SCORES_MAX,
  ENGINE_LABELS_STEP,
} from "../limits.ts";
import {
  type CalibrationFile,
  type CalibrationSet,
  type LabelledScore,
  readCalibration,
} from "./calibration.ts";
import type { DifficultyFile } from "./difficulty.ts";
import { basisOf, newDrift, watchDifficulty, watchLabel, withNewPromise } from "./drift-watch.ts";
import { type EngineLabel, EngineLabelStore } from "./engine-labels.ts";
import { countLabel, isCalibrationDue, type LabelCount } from "./label-count.ts";
import { LabelStore, type NewLabel } from "./label-store.ts";
import type { EngineSet } from "./ladder.ts";
import { OutcomeRing, RING_BOUNDS, type RingBounds } from "./outcome-ring.ts";
import { migrateRouter } from "./router-schema.ts";
import * as types from "./router-types.ts";
import { SHIPPED_FILE } from "./shipped.ts";
import { StateTable } from "./state-table.ts";
import { fits, sameWeights, VersionStore } from "./version-store.ts";

/** Under these names in the table `state`. */
interface Kept {
  revision: number;
  settings: types.RouterSettings;
  /** The version that was set; whether it fits this build is another matter. */
  version: string;
  drift: types.DriftState;
  shadow: types.ShadowCounts;
  calibrated: LabelCount;
  /** By weights, the engines' labels that the ladder is made of. */
  engines: { weights_version: string; sets: EngineSet[] };
}

interface Active {
  version: string;
  model: DifficultyFile;
  set: CalibrationSet;
  unfit: string | null;
}

/** Object RPC. Every method resolves once what it wrote is durable; errors carry their code. */
export class RouterObject extends DurableObject {
  readonly #sql: SqlStorage;
  readonly #state: StateTable<Kept>;
  readonly #ring: OutcomeRing;
  readonly #labels: LabelStore;
  readonly #engineLabels: EngineLabelStore;
  readonly #versions: VersionStore;
  /** Parsed once; null after a change. */
  #known: Active | null = null;

  constructor(state: DurableObjectState, env: unknown) {
    super(state, env as never);
    this.#sql = state.storage.sql;
    const now = () => this.now();
    this.#state = new StateTable(this.#sql);
    this.#ring = new OutcomeRing(this.#sql, this.ringBounds, now);
    this.#labels = new LabelStore(this.#sql);
    this.#engineLabels = new EngineLabelStore(this.#sql);
    this.#versions = new VersionStore(this.#sql, now);
    state.storage.transactionSync(() => {
      migrateRouter(this.#sql);
      this.#meetRelease();
    });
  }

  /** Unix time in ms. A test sets it. */
  protected now(): number {
    return Date.now();
  }

  /** A test makes these small. */
  protected get ringBounds(): RingBounds {
    return RING_BOUNDS;
  }

  protected get autoCalibration(): { labelsMin: number; labelsStep: number } {
    return { labelsMin: AUTO_CALIBRATION_LABELS_MIN, labelsStep: AUTO_CALIBRATION_LABELS_STEP };
  }

  /** What routes answers now; null where that is still revision `known`. */
  snapshot(known: number | null): types.RouterSnapshot | null {
    return this.#state.get("revision", 0) === known ? null : this.#snapshot();
  }

  overview(): types.RouterOverview {
    return {
      ...this.#snapshot(),
      drift: this.drift(),
      shadow: this.#state.get("shadow", types.NO_SHADOWS),
      labels: this.#labels.counts(),
      collected: this.#engineLabels.collect(this.#active().model.version),
      outcomes: this.#ring.count(),
    };
  }

  drift(): types.DriftState {
    return this.#state.get("drift", null)!; // #meetRelease has put one
  }

  /** Changes what is given. Without texts from now on, those that are kept go. */
  putSettings(changes: Partial<types.RouterSettings>): void {
    this.#transact(() => {
      const before = this.#settings();
      this.#state.put("settings", { ...before, ...changes });
      const revision = this.#revise();
      const { target = before.target } = changes;
      if (JSON.stringify(target) !== JSON.stringify(before.target))
        this.#state.put("drift", withNewPromise(this.drift(), revision));
      if (changes.keep_text === false && before.keep_text) this.#ring.clear(null);
    });
  }

  /** Keeps answers, oldest first, and counts them for drift, those sent again once; one of the
   *  sample, of which all is known, is a label too. */
  record(...recordings: types.Recording[]): void {
    this.#transact(() => {
      const known = this.#ring.add(recordings, this.#settings().keep_text);
      for (const [i, recording] of recordings.entries()) this.#learn(recording, known[i]!);
    });
  }

  #learn({ outcome, revision, routed, sample }: types.Recording, known: boolean): void {
    if (routed && !known && this.#isOfNow(outcome))
      this.#state.put("drift", watchDifficulty(this.drift(), { ...outcome, revision }, this.now()));
    const { difficulty } = outcome;
    if (sample !== null && difficulty !== null)
      this.#label("backend", { ...outcome, difficulty, revision, ...sample });
  }

  /** Counts what was asked for comparison, or let go; with what came of it, if anything did. */
  compared(counts: Partial<types.ShadowCounts>, comparisons: types.Comparison[]): void {
    this.#transact(() => {
      const sums = { ...this.#state.get("shadow", types.NO_SHADOWS) };
      for (const [name, count] of Object.entries(counts))
        sums[name as keyof types.ShadowCounts] += count;
      this.#state.put("shadow", sums);
      for (const { engine, wrong, outcome, difficulty, revision } of comparisons)
        if (wrong === null) continue;
        else if (engine === null)
          this.#label("backend", { ...outcome, difficulty, revision, wrong });
        else this.#labelEngine({ ...outcome, engine, difficulty, wrong });
    });
  }

  find(traceId: string): types.RecordedOutcome | null {
    return this.#ring.find(traceId)?.recorded ?? null;
  }

  /** Notes what somebody thought of an answer; `wrong` is what that says of the reader's, or null.
   *  Whether the answer is still known. */
  rate(traceId: string, rating: "good" | "bad", wrong: boolean | null): boolean {
    return this.#transact(() => {
      const found = this.#ring.find(traceId);
      if (found === null) return false;
      this.#ring.rate(traceId, rating);
      const { recorded, revision } = found;
      const { difficulty, edge_answer, engine } = recorded;
      this.#engineLabels.correct(engine, traceId, rating === "bad");
      if (wrong !== null && difficulty !== null && edge_answer !== null)
        this.#label("feedback", { ...recorded, difficulty, revision, wrong }, !recorded.rating);
      else this.#labels.remove("feedback", traceId); // the last rating counts
      return true;
    });
  }

  outcomes(limit: number, cursor: number | null, labelled: boolean): types.OutcomePage {
    return this.#ring.page(limit, cursor, labelled);
  }

  /** Forgets the outcomes of a namespace, or all; how many there were. Labels, which hold no text,
   *  stay. */
  forget(namespace: string | null): number {
    return this.#ring.clear(namespace);
  }

  /** Newest first, the shipped one last. */
  versions(): types.VersionInfo[] {
    const { version } = this.#active();
    const { calibration } = this.shipped;
    return [
      ...this.#versions.list(version),
      {
        ...{ version: types.SHIPPED_VERSION, created_at: null, source: "shipped", note: null },
        ...{ weights_version: this.shipped.version, labels: calibration.scores.length },
        ...{ abstained: calibration.abstained, active: version === types.SHIPPED_VERSION },
      },
    ];
  }

  /** Adds weights with their set, which the caller checked; resolves with the version's name.
   *  Throws `conflict` where other weights have the same name: labels are kept by it. */
  addVersion(model: DifficultyFile, note: string | null, activate: boolean): string {
    return this.#transact(() => {
      const namesake = this.versions().find((one) => one.weights_version === model.version);
      if (namesake !== undefined && !sameWeights(model, this.#model(namesake.version)))
        throw new ServiceError("conflict", `other weights are called ${model.version} already`, {
          param: "model.version",
        });
      const version = this.#versions.add(model, "upload", note, this.#state.get("version", ""));
      if (activate) this.#activate(version);
      return version;
    });
  }

  /** Makes a version with the weights in use and another set, which is in use from then on. Throws
   *  `invalid_request` where there is not one label. */
  calibrate({ labels, abstained, replace, include_feedback }: types.NewCalibration): void {
    this.#transact(() => {
      if (labels === null) {
        const { version } = this.#active().model;
        this.#putEngines(version);
        this.#recalibrate(this.#labels.collect(version, include_feedback), "collected");
        return;
      }
      const own = replace ? null : this.#ownSet();
      const scores = [...(own?.scores ?? []), ...labels];
      this.#recalibrate({ scores, abstained: (own?.abstained ?? 0) + abstained }, "labels");
    });
  }

  /** Uses an earlier version, exactly as it was; automatic calibration ends, or it would take its
   *  place. `name` is a version's, or that of weights: the newest other version with them. Throws
   *  `not_found`, and `invalid_request` for one that does not fit this build. */
  rollBack(name: string): void {
    this.#transact(() => {
      const versions = this.versions();
      const found =
        versions.find(({ version }) => version === name) ??
        versions.find(({ weights_version, active }) => weights_version === name && !active);
      if (found === undefined)
        throw new ServiceError("not_found", `there is no version ${JSON.stringify(name)}`);
      if (!fits(this.#model(found.version)))
        throw new ServiceError(
          "invalid_request",
          `version ${found.version} does not fit this release: it has other features`,
          { param: "version" },
        );
      this.#state.put("settings", { ...this.#settings(), auto_calibrate: false });
      this.#activate(found.version);
    });
  }

  /** The release's own weights. */
  protected get shipped(): DifficultyFile {
    return SHIPPED_FILE;
  }

  /** The version that serves: the one that was set, unless that does not fit this build. */
  #active(): Active {
    this.#known ??= this.#readActive();
    return this.#known;
  }

  #readActive(): Active {
    const version = this.#state.get("version", types.SHIPPED_VERSION);
    const model = this.#versions.model(version);
    if (model !== null && fits(model))
      return { version, model, set: readCalibration(model.calibration), unfit: null };
    const unfit = version === types.SHIPPED_VERSION ? null : version;
    const set = readCalibration(this.shipped.calibration);
    return { version: types.SHIPPED_VERSION, model: this.shipped, set, unfit };
  }

  #model(version: string): DifficultyFile {
    return this.#versions.model(version) ?? this.shipped;
  }

  #snapshot(): types.RouterSnapshot {
    const { version, model, unfit } = this.#active();
    return {
      revision: this.#state.get("revision", 0),
      settings: this.#settings(),
      version,
      unfit,
      model: version === types.SHIPPED_VERSION ? null : model,
      engines: this.#engines(model.version),
    };
  }

  #settings(): types.RouterSettings {
    return { ...types.SETTINGS_DEFAULT, ...this.#state.get("settings", {}) };
  }

  #activate(version: string): void {
    this.#state.put("version", version);
    this.#known = null;
    this.#watchAnew();
  }

  #watchAnew(): void {
    const active = this.#active();
    this.#state.put("drift", newDrift(basisOf(active), active.set, this.#revise()));
  }

  /** A release may bring other weights, or other features. */
  #meetRelease(): void {
    const drift = this.#state.get("drift", null);
    if (drift?.basis !== basisOf(this.#active())) this.#watchAnew();
  }

  /** Whether it was scored by the weights in use, and not by ones that an isolate still had. */
  #isOfNow({ weights_version }: { weights_version: string }): boolean {
    return weights_version === this.#active().model.version;
  }

  /** A label counts once for drift, even where one rating took it and the next gave it again. */
  #label(
    source: NewLabel["source"],
    label: Omit<NewLabel, "source"> & { threshold: number; revision: number },
    isFirst = true,
  ): void {
    const isNew = this.#labels.put({ ...label, source }) && isFirst;
    const { wrong } = label;
    if (!isNew || wrong === null || !this.#isOfNow(label)) return;
    const promise = { target: this.#settings().target, set: this.#active().set };
    const drift = watchLabel(this.drift(), source, { ...label, wrong }, promise, this.now());
    this.#state.put("drift", drift);
    if (source === "backend") this.#calibrateWhenDue();
  }

  /** As with #calibrateWhenDue, when the ladder changes is decided by how many labels there are. */
  #labelEngine(given: EngineLabel): void {
    const rated = this.#ring.isRatedBad(given.trace_id, given.engine);
    const count = this.#engineLabels.put({ ...given, wrong: rated ?? given.wrong });
    if (count === null || !this.#isOfNow(given) || !this.#settings().auto_calibrate) return;
    if (count % ENGINE_LABELS_STEP === 0) this.#putEngines(given.weights_version);
  }

  #putEngines(weights_version: string): void {
    this.#state.put("engines", {
      weights_version,
      sets: this.#engineLabels.collect(weights_version),
    });
    this.#revise();
  }

  #engines(weightsVersion: string): EngineSet[] {
    const kept = this.#state.get("engines", null);
    return kept?.weights_version === weightsVersion ? kept.sets : [];
  }

  /** Counts a label, also while nothing is to be done by itself. */
  #calibrateWhenDue(): void {
    const weights_version = this.#active().model.version;
    const kept = () => this.#labels.compared(weights_version);
    const count = countLabel(this.#state.get("calibrated", null), weights_version, kept);
    const due = this.#settings().auto_calibrate && isCalibrationDue(count, this.autoCalibration);
    this.#state.put("calibrated", due ? { ...count, labels: count.came } : count);
    if (due) this.#recalibrate(this.#labels.collect(weights_version, false), "automatic");
  }

  /** The set of the version in use, where that is the tenant's own. */
  #ownSet(): { scores: LabelledScore[]; abstained: number } | null {
    const { version, set } = this.#active();
    return version === types.SHIPPED_VERSION ? null : { ...set, scores: [...set.scores] };
  }

  /** The newest of the scores, where they are too many, and their share of the abstentions. */
  #recalibrate(
    { scores, abstained }: { scores: LabelledScore[]; abstained: number },
    source: "labels" | "collected" | "automatic",
  ): void {
    if (scores.length === 0)
      throw new ServiceError(
        "invalid_request",
        source === "labels"
          ? "there is no label to calibrate by"
          : "no labels were collected for the weights in use: shadow_rate says how many will be",
        { param: "labels" },
      );
    const kept = scores.slice(-CALIBRATION_SCORES_MAX);
    const { model } = this.#active();
    const calibration: CalibrationFile = {
      version: `${source}-${this.now()}`,
      scores: kept.map(({ difficulty, wrong }) => [difficulty, wrong ? 1 : 0]),
      abstained: Math.round((abstained * kept.length) / scores.length),
    };
    const active = this.#state.get("version", types.SHIPPED_VERSION);
    this.#activate(this.#versions.add({ ...model, calibration }, source, null, active));
  }

  #revise(): number {
    const revision = this.#state.get("revision", 0) + 1;
    this.#state.put("revision", revision);
    return revision;
  }

  #transact<T>(work: () => T): T {
    return this.ctx.storage.transactionSync(work);
  }
}
