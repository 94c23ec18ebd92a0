/** When the router's object calibrates by itself, over more labels than it keeps. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import {
  AUTO_CALIBRATION_LABELS_STEP,
  LABELS_KEPT_MAX,
  ROUTER_VERSIONS_MAX,
} from "../../src/limits.ts";
import type { RouterObject } from "../../src/router/router-object.ts";
import { SHIPPED_FILE } from "../../src/router/shipped.ts";

type Router = DurableObjectStub<RouterObject>;

/** Labels from comparisons, `t<from>` and on. */
async function compare(router: Router, from: number, count: number) {
  const about = { weights_version: SHIPPED_FILE.version, threshold: 0.4 };
  const labels = Array.from({ length: count }, (_, k) => {
    const i = from + k;
    const label = { difficulty: (i % 100) / 100, revision: 1, wrong: i % 5 === 0 };
    return { engine: null, outcome: { ...about, trace_id: `t${i}` }, ...label };
  });
  await router.compared({ sent: count }, labels);
}

/** What an object has that compared so many questions. */
async function fill(router: Router, labels: number) {
  await runInDurableObject(router, (_, { storage }) => {
    storage.sql.exec(
      `WITH RECURSIVE more (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more WHERE n < ?)
       INSERT INTO labels (source, trace_id, weights_version, difficulty, wrong)
         SELECT 'backend', 'old' || n, ?, (n % 100) / 100.0, n % 5 = 0 FROM more`,
      ...[labels, SHIPPED_FILE.version],
    );
  });
}

async function newest(router: Router): Promise<string> {
  return (await router.versions())[0]!.version;
}

it("each so many labels calibrate anew, also once as many are kept as may be", async () => {
  const router = env.ROUTER.getByName("beyond what is kept");
  await fill(router, LABELS_KEPT_MAX);
  await compare(router, 0, 1);
  expect(await newest(router)).toBe("v1");
  let next = 1;
  for (const version of ["v2", "v3"]) {
    await compare(router, next, AUTO_CALIBRATION_LABELS_STEP - 1);
    expect(await newest(router)).not.toBe(version);
    await evictDurableObject(router);
    next += AUTO_CALIBRATION_LABELS_STEP;
    await compare(router, next - 1, 1);
    expect(await newest(router)).toBe(version);
  }
  expect((await router.overview()).labels.backend).toBeLessThan(LABELS_KEPT_MAX + 100);
});

it.each([
  ["as many as are kept", LABELS_KEPT_MAX],
  ["more than are left of them", LABELS_KEPT_MAX / 2],
])("one that counted only what it kept goes on: at its last calibration %s", async (_, kept) => {
  const router = env.ROUTER.getByName(`counted ${kept}`);
  await fill(router, kept);
  const last = { weights_version: SHIPPED_FILE.version, labels: LABELS_KEPT_MAX };
  await runInDurableObject(router, (_, { storage }) => {
    const put = "INSERT INTO state (name, value) VALUES ('calibrated', ?)";
    storage.sql.exec(put, JSON.stringify(last));
  });
  await compare(router, 0, AUTO_CALIBRATION_LABELS_STEP - 1);
  expect(await newest(router)).toBe("shipped");
  await compare(router, AUTO_CALIBRATION_LABELS_STEP, 1);
  expect(await newest(router)).toBe("v1");
});

it("labels count while nothing is to be calibrated by itself, too", async () => {
  const router = env.SMALL_ROUTER.getByName("counted meanwhile");
  await router.putSettings({ auto_calibrate: false });
  await compare(router, 0, 25);
  expect(await newest(router)).toBe("shipped");
  await router.putSettings({ auto_calibrate: true });
  await compare(router, 25, 1);
  expect(await newest(router)).toBe("v1");
  await compare(router, 26, 10);
  expect(await newest(router)).toBe("v2");
});

it("the service's own versions go before one that somebody made", async () => {
  const router = env.SMALL_ROUTER.getByName("own go first");
  expect(await router.addVersion(SHIPPED_FILE, "mine", false)).toBe("v1");
  await compare(router, 0, 20 + 10 * (ROUTER_VERSIONS_MAX - 1));
  const names = (await router.versions()).map(({ version }) => version);
  expect(names).toHaveLength(ROUTER_VERSIONS_MAX + 1);
  expect(names.slice(-3)).toEqual(["v3", "v1", "shipped"]);
});
