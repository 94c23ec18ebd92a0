/** /admin/namespaces/{ns}/snapshots, /split and /work: long work that goes on beside requests. */
import { ServiceError } from "../errors.ts";
import type { Caller } from "../pipeline/types.ts";
import { NamespaceParams, pathNamespace } from "./admin-namespaces.ts";
import { readJson } from "./body.ts";
import { type ApiContext, endpoint, newApi } from "./context.ts";
import { StatsReply } from "./schema/admin-namespaces.ts";
import { parse } from "./schema/common.ts";
import { DeletedReply, NEEDS_ADMIN_KEY, replies } from "./schema/replies.ts";
import {
  CancelledReply,
  describeSnapshots,
  parseSplit,
  SnapshotId,
  SnapshotReply,
  SnapshotsReply,
  SplitRequest,
  StartedReply,
} from "./schema/snapshots.ts";

export const adminSnapshots = newApi();

const NAMESPACE = "/admin/namespaces/{ns}";
const SNAPSHOTS = `${NAMESPACE}/snapshots`;
const SnapshotParams = NamespaceParams.extend({
  id: SnapshotId.openapi({ description: "As the snapshot's beginning told it." }),
});

function pathSnapshot(c: ApiContext): [Caller, string, string] {
  const { id } = parse(SnapshotParams, c.req.param());
  return [c.get("caller"), pathNamespace(c), id];
}

endpoint(
  adminSnapshots,
  {
    method: "post",
    path: SNAPSHOTS,
    summary: "Begin a snapshot",
    description: "It is written to R2 while everything else goes on. One long work runs at a time.",
    security: NEEDS_ADMIN_KEY,
    request: { params: NamespaceParams },
    responses: replies(202, "It has begun", StartedReply),
  },
  async (c) => {
    const id = await c.get("service").memoryAdmin.startSnapshot(c.get("caller"), pathNamespace(c));
    return c.json({ id }, 202);
  },
);

endpoint(
  adminSnapshots,
  {
    method: "get",
    path: SNAPSHOTS,
    summary: "List the snapshots, and the long work that runs",
    security: NEEDS_ADMIN_KEY,
    request: { params: NamespaceParams },
    responses: replies(200, "The snapshots", SnapshotsReply),
  },
  async (c) => {
    const all = await c.get("service").memoryAdmin.snapshots(c.get("caller"), pathNamespace(c));
    return c.json(describeSnapshots(all));
  },
);

endpoint(
  adminSnapshots,
  {
    method: "get",
    path: `${SNAPSHOTS}/{id}`,
    summary: "Show a snapshot",
    security: NEEDS_ADMIN_KEY,
    request: { params: SnapshotParams },
    responses: replies(200, "The snapshot", SnapshotReply),
  },
  async (c) => {
    const [caller, namespace, id] = pathSnapshot(c);
    const all = describeSnapshots(await c.get("service").memoryAdmin.snapshots(caller, namespace));
    const found = all.snapshots.find((snapshot) => snapshot.id === id);
    if (found === undefined)
      throw new ServiceError("snapshot_not_found", `there is no snapshot ${JSON.stringify(id)}`);
    return c.json(found);
  },
);

endpoint(
  adminSnapshots,
  {
    method: "delete",
    path: `${SNAPSHOTS}/{id}`,
    summary: "Delete a snapshot",
    security: NEEDS_ADMIN_KEY,
    request: { params: SnapshotParams },
    responses: replies(200, "It is gone", DeletedReply),
  },
  async (c) => {
    const [caller, namespace, id] = pathSnapshot(c);
    await c.get("service").memoryAdmin.deleteSnapshot(caller, namespace, id);
    return c.json({ id, deleted: true });
  },
);

endpoint(
  adminSnapshots,
  {
    method: "post",
    path: `${SNAPSHOTS}/{id}/restore`,
    summary: "Begin to put a snapshot in the place of all documents and options",
    description:
      "Until all of it is there and checked, searches find what was there before and writes are " +
      "memory_busy; then all changes at once.",
    security: NEEDS_ADMIN_KEY,
    request: { params: SnapshotParams },
    responses: replies(202, "It has begun; `work` tells how far it is", StatsReply),
  },
  async (c) => {
    const [caller, namespace, id] = pathSnapshot(c);
    await c.get("service").memoryAdmin.restore(caller, namespace, id);
    return c.json(await c.get("service").memoryAdmin.stats(caller, namespace), 202);
  },
);

endpoint(
  adminSnapshots,
  {
    method: "post",
    path: `${NAMESPACE}/split`,
    summary: "Begin to split a shard in two",
    description: "A shard that is nearly full is split without being asked.",
    security: NEEDS_ADMIN_KEY,
    request: {
      params: NamespaceParams,
      body: { required: false, content: { "application/json": { schema: SplitRequest } } },
    },
    responses: replies(202, "It has begun; `work` tells how far it is", StatsReply),
  },
  async (c) => {
    const namespace = pathNamespace(c);
    const shard = parseSplit(await readJson(c, {}));
    await c.get("service").memoryAdmin.split(c.get("caller"), namespace, shard);
    return c.json(await c.get("service").memoryAdmin.stats(c.get("caller"), namespace), 202);
  },
);

endpoint(
  adminSnapshots,
  {
    method: "delete",
    path: `${NAMESPACE}/work`,
    summary: "Call off the snapshot, restore or split that runs",
    description: "All stays as it was before it began.",
    security: NEEDS_ADMIN_KEY,
    request: { params: NamespaceParams },
    responses: replies(200, "Whether there was any", CancelledReply),
  },
  async (c) => {
    const namespace = pathNamespace(c);
    const cancelled = await c.get("service").memoryAdmin.cancelWork(c.get("caller"), namespace);
    return c.json({ cancelled });
  },
);
