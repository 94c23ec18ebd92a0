/** The configurations of the Workers, as wrangler reads them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { unstable_readConfig as readConfig } from "wrangler";
import { planOf } from "../../scripts/deploy-options.ts";
import { OPTIONAL_WORKERS, writeMainConfig } from "../../scripts/workers.ts";

const root = join(import.meta.dirname, "../..");
/** What of wrangler's own type is looked at, which it does not export in full. */
interface Config {
  name: string;
  durable_objects: { bindings: { name: string; class_name: string }[] };
  migrations: { tag: string; new_sqlite_classes?: string[] }[];
  r2_buckets: { binding: string; bucket_name: string }[];
  services?: { binding: string; service: string; entrypoint?: string }[];
  vectorize: { binding: string; index_name: string }[];
  analytics_engine_datasets: { binding: string; dataset: string }[];
  kv_namespaces: { binding: string }[];
  queues: { producers?: { binding: string }[] };
  limits: object;
  assets: object;
}

const read = (config: string, env?: string): Config =>
  readConfig({ config: join(root, config), env }, { hideWarnings: true });

/** What a configuration binds, less the names that tell environments apart. */
function bindingsOf(config: Config) {
  const { durable_objects, r2_buckets, services, vectorize, migrations, limits, assets } = config;
  return {
    objects: durable_objects.bindings.map(({ name, class_name }) => `${name} ${class_name}`),
    stores: r2_buckets.map(({ binding }) => binding),
    services: services?.map(({ binding, entrypoint }) => `${binding} ${entrypoint}`),
    vectorize: vectorize.map(({ binding }) => binding),
    analytics: config.analytics_engine_datasets.map(({ binding }) => binding),
    kv: config.kv_namespaces.map(({ binding }) => binding),
    queues: config.queues.producers?.map(({ binding }) => binding),
    migrations,
    limits,
    assets,
  };
}

it("staging has every binding that production has, and shares no Worker and no store", () => {
  const plan = planOf({ "dry-run": true });
  const main = writeMainConfig(plan.optional, plan.stores);
  const staged = writeMainConfig(plan.optional, plan.stores, "staging");
  const pairs = [
    [main, staged],
    ...Object.values(OPTIONAL_WORKERS).map(({ config }) => [config, config]),
  ] as const;
  for (const [config, other] of pairs) {
    const [production, staging] = [read(config!), read(other!, "staging")];
    expect(bindingsOf(staging)).toEqual(bindingsOf(production));
    expect(staging.name).toBe(`${production.name}-staging`);
    const namesOf = ({ r2_buckets, services, vectorize, ...more }: Config) => [
      ...r2_buckets.map(({ bucket_name }) => bucket_name),
      ...(services ?? []).map(({ service }) => service),
      ...vectorize.map(({ index_name }) => index_name),
      ...more.analytics_engine_datasets.map(({ dataset }) => dataset),
    ];
    expect(namesOf(staging)).toEqual(namesOf(production).map((name) => `${name}-staging`));
  }
  expect(read("wrangler.toml", "staging").durable_objects.bindings).toHaveLength(
    read("wrangler.toml").durable_objects.bindings.length,
  );
});

it("every class that is bound is made by a migration and exported", () => {
  const { durable_objects, migrations } = read("wrangler.toml");
  const made = migrations.flatMap(({ new_sqlite_classes }) => new_sqlite_classes ?? []);
  const source = readFileSync(join(root, "src/worker.ts"), "utf8");
  expect(made.sort()).toEqual(durable_objects.bindings.map(({ class_name }) => class_name).sort());
  for (const name of made) expect(source).toMatch(new RegExp(`export \\{[^}]*\\b${name}\\b`));
  expect(new Set(migrations.map(({ tag }) => tag)).size).toBe(migrations.length);
});

it("the comment on Durable Objects says what each is for", () => {
  const text = readFileSync(join(root, "wrangler.toml"), "utf8");
  const comment = text.slice(text.indexOf("# Durable Objects: "), text.indexOf("\n[[durable_"));
  const { bindings } = read("wrangler.toml").durable_objects;
  expect(bindings.filter(({ name }) => !comment.includes(name))).toEqual([]);
});

it("what earlier versions of every object stored is opened in the tests of migrations", () => {
  const tests = ["test/ledger/migrations.test.ts", "test/memory/migrations.test.ts"];
  const text = tests.map((path) => readFileSync(join(root, path), "utf8")).join("\n");
  const { bindings } = read("wrangler.toml").durable_objects;
  expect(bindings.filter(({ name }) => !text.includes(`env.${name}`))).toEqual([]);
});

it("a plan has what it names, and a dry run that names nothing has all", () => {
  expect(planOf({})).toEqual({
    environment: "production",
    dryRun: false,
    optional: [],
    stores: [],
    check: true,
  });
  expect(planOf({ env: "staging", onnx: true, snapshots: true, "no-check": true })).toMatchObject({
    environment: "staging",
    optional: ["onnx"],
    stores: ["snapshots"],
    check: false,
  });
  expect(planOf({ "dry-run": true })).toMatchObject({
    optional: ["generator", "onnx"],
    stores: ["snapshots", "vectorize", "analytics"],
  });
  expect(planOf({ "dry-run": true, onnx: true })).toMatchObject({ optional: ["onnx"], stores: [] });
});
