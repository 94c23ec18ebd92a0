import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { StatsReply } from "../../src/api/schema/admin-namespaces.ts";
import { SnapshotReply, SnapshotsReply } from "../../src/api/schema/snapshots.ts";
import { ServiceError } from "../../src/errors.ts";
import type { WorkStatus } from "../../src/memory/types.ts";
import { startApi } from "./fake-service.ts";

/** Failures that are the service's own are logged. */
beforeEach(() => {
  vi.spyOn(console, "error").mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
});

const NS = "/admin/namespaces/docs";
const SNAPSHOTS = `${NS}/snapshots`;

const WRITING: WorkStatus = {
  ...{ kind: "snapshot", phase: "copy", id: "s2", started_at: 30, documents: 3 },
  ...{ failures: 0, error: null },
};

it("a snapshot is begun and shown while it is written, complete, and where it failed", async () => {
  const { call, outcome, service } = startApi();
  const begun = await call(SNAPSHOTS, { method: "POST" });
  expect([begun.status, await begun.json()]).toEqual([202, { id: "s2" }]);
  const read = async (id: string) =>
    SnapshotReply.parse(await (await call(`${SNAPSHOTS}/${id}`)).json());
  expect(await read("s1")).toMatchObject({ state: "complete", documents: 5, bytes: 700 });
  expect(await outcome(`${SNAPSHOTS}/s2`)).toEqual([404, "snapshot_not_found"]);
  service.memoryAdmin.snapshotStatus = { ...service.memoryAdmin.snapshotStatus, work: WRITING };
  expect(await read("s2")).toMatchObject({ state: "writing", documents: 3, completed_at: null });
  service.memoryAdmin.snapshotStatus = {
    ...service.memoryAdmin.snapshotStatus,
    work: null,
    last_snapshot: {
      ...{ state: "failed", id: "s2", started_at: 30, ended_at: 40, documents: 3 },
      error: { code: "conflict", message: "it was called off" },
    },
  };
  expect(await read("s2")).toMatchObject({ state: "failed", error: { code: "conflict" } });
});

it("the list has the oldest first, what runs, and how the last restore ended", async () => {
  const { call, service } = startApi();
  const last_restore = {
    ...{ state: "done" as const, id: "s1", started_at: 50, ended_at: 60, documents: 5 },
    error: null,
  };
  const { snapshots } = service.memoryAdmin.snapshotStatus;
  service.memoryAdmin.snapshotStatus = {
    ...{ snapshots, work: WRITING, last_snapshot: null, last_restore },
  };
  const list = SnapshotsReply.parse(await (await call(SNAPSHOTS)).json());
  expect(list.snapshots.map(({ id }) => id)).toEqual(["s1", "s2"]);
  expect(list).toMatchObject({ work: WRITING, last_restore });
});

it("a snapshot is deleted, or restored; one that is not there is not found", async () => {
  const { call, outcome } = startApi();
  const restored = await call(`${SNAPSHOTS}/s1/restore`, { method: "POST" });
  expect(restored.status).toBe(202);
  StatsReply.parse(await restored.json());
  expect(await outcome(`${SNAPSHOTS}/s1`, { method: "DELETE" })).toEqual([200, null]);
  for (const [path, method] of [
    ["", "GET"],
    ["", "DELETE"],
    ["/restore", "POST"],
  ])
    expect(await outcome(`${SNAPSHOTS}/absent${path}`, { method })).toEqual([
      404,
      "snapshot_not_found",
    ]);
});

it("a split takes the largest shard, or the one that is named", async () => {
  const { call, outcome, service } = startApi();
  const split = (json?: object) => call(`${NS}/split`, { method: "POST", json });
  expect((await split()).status).toBe(202);
  await split({ shard: "default/docs/g1-0" });
  const calls = service.calls.filter(([name]) => name === "split");
  expect(calls.map((args) => args[3])).toEqual([undefined, "default/docs/g1-0"]);
  for (const json of [{ shard: 1 }, { shard: "x".repeat(201) }, { object: "x" }])
    expect(await outcome(`${NS}/split`, { json })).toEqual([400, "invalid_request"]);
});

it("long work is called off; where none runs that is told", async () => {
  const { call, service } = startApi();
  const cancel = async () => (await call(`${NS}/work`, { method: "DELETE" })).json();
  expect(await cancel()).toEqual({ cancelled: false });
  service.memoryAdmin.snapshotStatus = { ...service.memoryAdmin.snapshotStatus, work: WRITING };
  expect(await cancel()).toEqual({ cancelled: true });
});

it("statistics tell each shard and the work that runs", async () => {
  const { call } = startApi();
  const stats = StatsReply.parse(await (await call(`${NS}/stats`)).json());
  expect(stats).toMatchObject({ shards: [{ object: null, lo: 0, hi: 2 ** 32 }], work: null });
});

it("where writes wait, the caller is told to come again", async () => {
  const { call, service } = startApi();
  service.memoryAdmin.ingest = () =>
    Promise.reject(new ServiceError("memory_busy", "a snapshot is being restored"));
  const response = await call(`${NS}/documents`, { json: { documents: [{ text: "x" }] } });
  expect(response.status).toBe(503);
  expect(response.headers.get("retry-after")).toBe("2");
});
