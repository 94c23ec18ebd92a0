/** `brink router` against a service over HTTP. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Command, Values } from "../../cli/command.ts";
import { routerCalibrate } from "../../cli/router-calibrate.ts";
import type { RecordedOutcome } from "../../cli/router-outcomes.ts";
import { routerReport } from "../../cli/router-report.ts";
import { routerForget, routerSet } from "../../cli/router-set.ts";
import { routerRollback, routerStatus } from "../../cli/router-status.ts";
import { routerActivate, routerTrain } from "../../cli/router-train.ts";
import { type DifficultyFile, parseDifficultyModel } from "../../src/router/difficulty.ts";
import { QUESTION_FEATURES } from "../../src/router/features-question.ts";
import { brink } from "../support/brink-cli.ts";
import { FakeBrink } from "./fake-brink.ts";
import { runCommand } from "./said.ts";

const QUESTIONS = 440;
let folder: string;
let data: string;
let service: FakeBrink;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "brink-router-"));
  data = join(folder, "labels.csv");
  const rows = Array.from({ length: QUESTIONS }, (_, n) => `How much is ${n} <b>&?,${n}|x`);
  writeFileSync(data, `question,answers\r\n${rows.join("\r\n")}\r\n`);
  service = await new FakeBrink().start();
});
afterEach(() => {
  service.stop();
  rmSync(folder, { recursive: true, force: true });
});

const run = (command: Command, args: string[], values: Values = {}) =>
  runCommand(command, args, { url: service.url, ...values });

describe("router status and rollback", () => {
  it("show what the router promises, and how it keeps to it", async () => {
    const { out } = await run(routerStatus, []);
    expect(out.split("\n")).toEqual([
      "target               at most 20 % of the edge's answers wrong, with confidence 95 %",
      "threshold            0.3000: the edge keeps what is no harder",
      "kept at the edge     52 % of questions",
      "of these wrong       8.1 %, at most 11.9 % with confidence 95 %",
      "to the backend       48 %",
      "version              shipped, weights difficulty-shipped",
      "calibration          calibration-1, 417 labels and 83 abstentions, as shipped: " +
        "npx brink router calibrate",
      "drift                no alarm",
      "  of difficulty      12 of 500 questions in the window that fills",
      "  of risk, compared  no labels yet",
      "  of risk, rated     no labels yet",
      "compared             5 % of questions: 40 asked, 1 failed, 0 let go, 900 tokens",
      "labels               39 by comparing, 2 by ratings",
      "calibrates itself    no",
      "remembered           7 answers, with texts",
    ]);
  });

  it("say what other targets mean, and that nothing is kept", async () => {
    service.router.threshold = -1;
    expect((await run(routerStatus, [])).out).toMatch(/^threshold +none: the labels support none/m);
    service.router.target = { backend_share: 0.3 };
    expect((await run(routerStatus, [])).out).toMatch(
      /30 % of questions to the backend\n.*none: the target has all leave, and the edge keeps/,
    );
    service.router.target = { budget_usd_per_1k: 0.4 };
    expect((await run(routerStatus, [])).out).toMatch(/0.4 USD for 1,000 questions/);
  });

  it("say which alarm stands since when, and what engines between may answer", async () => {
    const { difficulty, risk } = service.router.drift;
    service.router.drift = {
      ...{ alarm: true, since: Date.UTC(2026, 10, 30, 9), feedback: risk },
      difficulty: { ...difficulty, windows: 3, distance: 0.04, bound: 0.09 },
      risk: { ...risk, alarm: true, labels: 50, wrong: 19, log_evidence: 5.5 },
    };
    const rung = { engine: "generator", usd_per_1k: 0.1, labels: 300, wrong: 20 };
    service.router.engines = [
      { ...rung, threshold: 0.6, kept: { labels: 90, wrong: 4, risk_upper: 0.1 } },
      { ...rung, engine: "small", threshold: null, kept: null },
    ];
    const { out } = await run(routerStatus, []);
    expect(out).toMatch(/^drift +ALARM since 2026-11-30 09:00: more answers are wrong than promi/m);
    expect(out).toMatch(/3 before it, the last 0.040 from the calibration, alarm above 0.090$/m);
    expect(out).toMatch(
      /compared +19 of 50 wrong, 20 % promised; evidence 5.50, alarm from 5.30$/m,
    );
    expect(out).toMatch(/^generator .*: answers up to 0.6000, 4 of 90 wrong there, at most 10 %$/m);
    expect(out).toMatch(/^small .*20 of 300 compared wrong: too few labels to be asked first$/m);
  });

  it("go back to a version, list them where none is named, and tell what is refused", async () => {
    service.router.versions.push("difficulty-2");
    const { out: listed } = await run(routerRollback, []);
    expect(listed).toMatch(/^version +made +from +weights +labels +abstained +note\ndifficulty-sh/);
    expect(listed).toMatch(/^difficulty-2 \(active\) +2026-11-30 00:00 +upload .* 417 +83 +mine$/m);
    const { out } = await run(routerRollback, ["difficulty-shipped"]);
    expect(out).toMatch(/weights difficulty-shipped/);
    await expect(run(routerRollback, ["x"])).rejects.toThrow("no version x (not_found)");
  });
});

describe("router set and forget", () => {
  const reply = (call: string, body: unknown) => service.canned.set(call, [{ status: 200, body }]);
  it("send what is named alone, and show what holds from then on", async () => {
    const { result: state } = await run(routerStatus, []);
    reply("PUT /admin/router", { ...(state as object), target: { max_risk: 0.1 } });
    const { out } = await run(routerSet, [], { "max-risk": "0.1", "shadow-rate": ".05" });
    expect(out).toMatch(/^target +at most 10 % of the edge's answers wrong$/m);
    service.router.target = { backend_share: 0.3 };
    reply("PUT /admin/router", state);
    await run(routerSet, [], { "max-risk": "0.2" });
    reply("PUT /admin/router", state);
    await run(routerSet, [], { "keep-text": "off", "auto-calibrate": "on" });
    reply("PUT /admin/router", state);
    await run(routerSet, [], { target: '{"max_risk": 0.1, "confidence": 0.9}' });
    expect(service.bodies.map((body) => JSON.parse(body))).toEqual([
      { target: { max_risk: 0.1, confidence: 0.95 }, shadow_rate: 0.05 },
      { target: { max_risk: 0.2 } },
      { keep_text: false, auto_calibrate: true },
      { target: { max_risk: 0.1, confidence: 0.9 } },
    ]);
  });

  it("refuse two targets, none of anything, and what is no number", async () => {
    const two = { "max-risk": "0.1", "backend-share": "0.3" };
    await expect(run(routerSet, [], two)).rejects.toThrow("--max-risk and --backend-share");
    await expect(run(routerSet, [])).rejects.toThrow("name what changes");
    await expect(run(routerSet, [], { "shadow-rate": "few" })).rejects.toThrow(
      '--shadow-rate is a number, not "few"',
    );
    await expect(run(routerSet, [], { target: "0.1" })).rejects.toThrow("--target is a JSON obj");
    expect(service.calls).toEqual([]);
  });

  it("forget what was recorded, when that is said", async () => {
    await expect(run(routerForget, [])).rejects.toThrow("forgets 7 answers with their questions");
    reply("DELETE /admin/router/outcomes", { deleted: 7 });
    expect((await run(routerForget, [], { yes: true })).out).toBe("forgot 7 answers");
    expect(service.calls.filter((call) => call.startsWith("DELETE"))).toHaveLength(1);
  });
});

describe("router calibrate", () => {
  it("names the command that has labels collected, where there are none", async () => {
    const error = { message: "no labels were collected", code: "invalid_request", type: "x" };
    service.canned.set("POST /admin/router/calibrate", [{ status: 400, body: { error } }]);
    await expect(run(routerCalibrate, [])).rejects.toMatchObject({
      message: "no labels were collected (invalid_request)",
      remedy: expect.stringContaining("npx brink router set --shadow-rate 0.05"),
    });
  });

  it("sends the difficulty and the verdict of every answer, and counts abstentions", async () => {
    const { out } = await run(routerCalibrate, [], { data, namespace: "docs" });
    const { labels, abstained, replace } = service.router.calibrated!;
    expect([labels!.length, abstained, replace]).toEqual([400, 40, true]);
    expect(labels![0]).toEqual({ difficulty: expect.any(Number), wrong: expect.any(Boolean) });
    expect(out).toMatch(/^440 questions: 400 answers, \d+ of them wrong, 40 abstentions\ntarget/);
    expect(out).toMatch(/threshold +0.4200/);
    expect(service.router.asked).toHaveLength(QUESTIONS);
    // Neither a note's answer nor a cached one to a like question is the reader's.
    expect(service.router.asked[0]).toEqual({
      model: "brink-reader",
      messages: [{ role: "user", content: "How much is 0 <b>&?" }],
      memory: { namespace: "docs" },
      explain: true,
    });
    expect(service.router.cacheWishes).toEqual(new Set(["off"]));
  });

  it("without a file, lets the service take what it collected", async () => {
    const { result } = await run(routerCalibrate, []);
    expect(service.router.calibrated).toEqual({});
    expect(result).toEqual({
      ...{ questions: null, answers: null, wrong: null, abstained: null },
      status: expect.objectContaining({ threshold: 0.42 }),
    });
    expect(service.router.asked).toEqual([]);
  });

  it("asks no question where a line cannot be used", async () => {
    writeFileSync(data, "question,answers\nWho?,\n");
    await expect(run(routerCalibrate, [], { data })).rejects.toThrow(/1 lines of .* mend them/);
    expect(service.router.asked).toEqual([]);
  });

  it("goes on where the service is busy, and says which question was refused", async () => {
    const busy = { error: { message: "busy", code: "memory_busy", type: "x", param: null } };
    const none = { error: { message: "no docs", code: "namespace_not_found", type: "x" } };
    service.canned.set("POST /v1/chat/completions", [
      { status: 503, body: busy, headers: { "retry-after": "0" } },
    ]);
    await run(routerCalibrate, [], { data, json: true });
    expect(service.router.calibrated!.labels).toHaveLength(400);
    service.canned.set("POST /v1/chat/completions", [{ status: 404, body: none }]);
    await expect(run(routerCalibrate, [], { data, "in-flight": "1" })).rejects.toThrow(
      /^labels.csv:2: no docs \(namespace_not_found\): npx brink ingest fills it/,
    );
  });
});

describe("router train", () => {
  it("finds what the active weights do not see, and changes nothing", async () => {
    const out = join(folder, "weights.json");
    const said = await run(routerTrain, [], { data, out });
    const { figures, fitted, held } = said.result as unknown as {
      figures: Record<"auroc" | "ece", Record<"fresh" | "active" | "gain", { low: number }>>;
      fitted: { answers: number; groups: number };
      held: { answers: number; groups: number };
    };
    expect(figures.auroc.gain.low).toBeGreaterThan(0.1);
    expect(fitted.answers + held.answers).toBe(400);
    expect(fitted.groups + held.groups).toBe(30);
    expect(said.out).toContain("the new weights rank better");
    expect(said.out).toMatch(/span_share +-\d/);
    expect(said.out).toMatch(/nothing is changed yet: npx brink router activate .*weights.json/);
    expect(service.router.sent).toBe(null);
    const model = parseDifficultyModel(JSON.parse(readFileSync(out, "utf8")) as DifficultyFile);
    expect(model.calibration.scores).toHaveLength(held.answers);
    expect(Object.keys(model.before!.weights).sort()).toEqual([...QUESTION_FEATURES].sort());
    expect(model.calibration.abstained).toBe(Math.round((40 * held.answers) / 400));
    await run(routerActivate, [out], { note: "ours" });
    expect(service.router.sent).toMatchObject({
      model: { version: model.version },
      note: "ours",
      activate: true,
    });
  });

  it("sends the weights with --activate, and says how to go back", async () => {
    service.router.version = "v2"; // newer versions may have the same weights
    const { out } = await run(routerTrain, [], { data, activate: true });
    const version = service.router.versions.at(-1)!;
    expect(out).toContain(`${version} is active`);
    expect(out).toContain("npx brink router rollback v2 goes back");
  });

  it("says what is lacking: answers, wrong ones, or features that this release knows", async () => {
    const file = join(folder, "few.csv");
    const write = (count: number) => {
      const lines = Array.from({ length: count }, (_, n) => `How much is ${n}?,${n}`);
      writeFileSync(file, `question,answers\n${lines.join("\n")}\n`);
    };
    write(3);
    await expect(run(routerTrain, [], { data: file })).rejects.toThrow(
      /few.csv has 3 questions, weights need 200 answers: label more/,
    );
    expect(service.calls).toEqual([]); // no question is asked for nothing
    write(210);
    await expect(run(routerTrain, [], { data: file })).rejects.toThrow(
      /the edge gave 190 answers, weights need 200: label more questions/,
    );
    const all = Array.from({ length: QUESTIONS }, (_, n) => `How much is ${n}?,${n}|no`).join("\n");
    writeFileSync(file, `question,answers\n${all}\n`);
    await expect(run(routerTrain, [], { data: file })).rejects.toThrow(
      /0 of 400 answers are wrong: weights need 30/,
    );
    service.router.untold = "coverage";
    await expect(run(routerTrain, [], { data })).rejects.toThrow(
      /the service did not say coverage of its answer: use the command line of the service's/,
    );
  });
});

const outcome = (n: number, label: RecordedOutcome["label"]): RecordedOutcome => {
  return {
    ...{ trace_id: `t${n}`, at: 1_795_000_000_000 + n, question: `Q${n}?`, route: "edge" },
    ...{ edge_answer: n % 10 === 0 ? null : `a${n}`, difficulty: (n % 40) / 40, features: null },
    ...{ weights_version: "difficulty-shipped", passages: [{ document_id: `d${n % 7}` }], label },
  };
};

describe("router report", () => {
  it("is one file that loads and runs nothing, with a table behind each plot", async () => {
    const out = join(folder, "report.html");
    const { out: said } = await run(routerReport, [], { data, out });
    expect(said).toMatch(/Of 440 questions the edge answered 400; .*\nAt .*\nwritten to .*html/s);
    const page = readFileSync(out, "utf8");
    expect(page).not.toMatch(/<script|<link|<img|url\(|@import|\bsrc=|https?:/);
    expect(page).not.toContain("<b>&?");
    expect(page).toContain("&lt;b&gt;&amp;?");
    expect(page).not.toMatch(/NaN|Infinity|undefined|null/);
    expect(page.match(/<svg viewBox="0 0 460/g)).toHaveLength(4);
    expect(page.match(/<title id=/g)).toHaveLength(4);
    expect(page.match(/<details>/g)).toHaveLength(4);
    expect(page).toContain("prefers-color-scheme: dark");
    expect(page).toMatch(/<td>number<\/td>/);
    expect(page).toMatch(/52.0.% kept, 8.1.% of it wrong, at most 11.9.%, by 417 labels/);
  });

  it("of recorded outcomes takes those with a label, on however many pages", async () => {
    service.router.outcomes = Array.from({ length: 80 }, (_, n) =>
      outcome(n, n % 5 === 4 ? null : { wrong: n % 40 > 25, source: "feedback" }),
    );
    const values = { out: join(folder, "r.html"), json: true };
    const { result } = await run(routerReport, [], values);
    expect(result).toMatchObject({ questions: 64, answers: 56, auroc: { value: 1 } });
  });

  it("of recorded outcomes leaves out those that other weights scored, and says so", async () => {
    const labelled = (n: number) => outcome(n, { wrong: n % 40 > 25, source: "backend" });
    service.router.outcomes = Array.from({ length: 80 }, (_, n) =>
      n < 60 ? labelled(n) : { ...labelled(n), weights_version: "difficulty-old" },
    );
    const out = join(folder, "r.html");
    const { result } = await run(routerReport, [], { out, json: true });
    expect(result).toMatchObject({ questions: 60 });
    expect(readFileSync(out, "utf8")).toContain("20 calls that other weights scored");
  });

  it("needs answers, right and wrong ones", async () => {
    service.router.outcomes = [outcome(1, { wrong: true, source: "feedback" })];
    await expect(run(routerReport, [])).rejects.toThrow(
      /of 1 labelled questions the edge answered 1, 1 of them wrong: a report needs 20 answers/,
    );
    await expect(run(routerReport, [], { "backend-accuracy": "90" })).rejects.toThrow(/a share/);
  });
});

it("a judged call is looked up by its trace, and one that is gone is left out", async () => {
  service.router.outcomes = Array.from({ length: 7 }, (_, n) => outcome(n, null));
  writeFileSync(data, "trace_id,right\nt1,yes\nt2,no\nt10,no\nt0,no\n");
  const { said } = await run(routerCalibrate, [], { data });
  expect(service.router.calibrated).toEqual({
    labels: [
      { difficulty: 1 / 40, wrong: false },
      { difficulty: 2 / 40, wrong: true },
    ],
    abstained: 1,
    replace: true,
  });
  expect(said).toMatch(/1 of 4 judged calls are no longer among the service's 7 recorded outcomes/);
});

it("a judged call of other weights, or that no reader answered, is no label", async () => {
  service.router.outcomes = [
    { ...outcome(1, null), weights_version: "difficulty-old" },
    outcome(2, null),
    { ...outcome(3, null), edge_answer: null, difficulty: null },
  ];
  writeFileSync(data, "trace_id,right\nt1,yes\nt2,no\nt3,no\n");
  const { said } = await run(routerCalibrate, [], { data });
  const labels = [{ difficulty: 2 / 40, wrong: true }];
  expect(service.router.calibrated).toEqual({ labels, abstained: 0, replace: true });
  expect(said).toMatch(/1 of 3 judged calls were answered without asking the edge, and are left/);
  expect(said).toMatch(/1 of 3 judged calls were scored by other weights than difficulty-shipped/);
});

it("the commands run from the shell, with help and JSON", async () => {
  expect(await brink(service.url, "help")).toMatch(/router train --data FILE +Fit the router/);
  expect(await brink(service.url, "router", "train", "--help")).toMatch(/--data FILE +labelled qu/);
  const json = JSON.parse(
    await brink(service.url, "router", "calibrate", "--data", data, "--json"),
  );
  expect(json).toMatchObject({ questions: 440, answers: 400, abstained: 40 });
});
