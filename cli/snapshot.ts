/** `brink snapshot`: a namespace to R2 and back. */

import { setTimeout as wait } from "node:timers/promises";
import type { WorkStatus } from "../src/memory/types.ts";
import { type Client, connect, ReplyError } from "./client.ts";
import { type Command, CommandError, SERVICE_OPTIONS, UsageError, type Values } from "./command.ts";
import { namespacePath } from "./ingest-job.ts";
import { CLI_POLL_MS } from "./limits.ts";
import { describeWork } from "./namespaces.ts";
import { type Progress, showBytes, startCounter } from "./progress.ts";
import { oneLine, showTime, table } from "./table.ts";

interface Snapshot {
  id: string;
  state: "writing" | "complete" | "failed";
  started_at: number;
  completed_at: number | null;
  documents: number;
  passages: number | null;
  bytes: number | null;
  error: { code: string; message: string } | null;
}

interface Snapshots {
  snapshots: Snapshot[];
  work: WorkStatus | null;
  last_restore: {
    state: "done" | "failed";
    id: string | null;
    started_at: number;
    documents: number;
    error: { code: string; message: string } | null;
  } | null;
}

const UNTOLD = "no reason is told";

export const snapshot: Command = {
  name: "snapshot",
  args: "NS create|list|restore ID|remove ID",
  summary: "Keep a namespace in R2, and bring it back.",
  description:
    "create writes what is stored while all goes on, and waits until it is whole. restore puts\n" +
    "a snapshot in the place of all documents and options: searches find what was there before\n" +
    "until all of it is checked. remove deletes a snapshot.",
  verbs: ["create", "list", "restore", "remove"],
  options: {
    yes: { type: "boolean", help: "restore: replace what is there" },
    "no-wait": { type: "boolean", help: "create, restore: begin and do not wait" },
    ...SERVICE_OPTIONS,
  },
  async run([namespace, verb, id, ...more], values) {
    if (namespace === undefined || verb === undefined || more.length > 0)
      throw new UsageError("name a namespace and what to do");
    const act = ACTIONS[verb];
    if (act === undefined)
      throw new UsageError(`it is create, list, restore or remove: not ${verb}`);
    const needsId = verb === "restore" || verb === "remove";
    if (needsId !== (id !== undefined))
      throw new UsageError(needsId ? `name the snapshot to ${verb}` : `unexpected ${id}`);
    return act(connect(values), `${namespacePath(namespace)}/snapshots`, id ?? "", values);
  },
};

type Action = (client: Client, path: string, id: string, values: Values) => Promise<unknown>;

const ACTIONS: Record<string, Action> = { create, list, restore, remove };

async function create(client: Client, path: string, _: string, values: Values): Promise<unknown> {
  const { id } = (await client.call("POST", path)) as { id: string };
  if (values["no-wait"]) {
    if (!values.json) console.log(`snapshot ${id} has begun`);
    return { id };
  }
  const at = `${path}/${encodeURIComponent(id)}`;
  const progress = startCounter("snapshot", "documents", values.json === true);
  const made = await poll(progress, async () => {
    const found = (await client.callAgain("GET", at)) as Snapshot;
    progress.update(found.documents);
    return found.state === "writing" ? null : found;
  });
  if (made.state === "failed")
    throw new CommandError(`snapshot ${id} failed: ${made.error?.message ?? UNTOLD}`);
  if (!values.json)
    console.log(`snapshot ${id}: ${made.documents} documents, ${showBytes(made.bytes ?? 0)}`);
  return made;
}

async function list(client: Client, path: string, _: string, values: Values): Promise<unknown> {
  const reply = (await client.call("GET", path)) as Snapshots;
  if (values.json) return reply;
  if (reply.snapshots.length === 0)
    console.log("no snapshots: npx brink snapshot NS create makes one");
  else
    console.log(
      table(
        reply.snapshots.map(({ id, state, started_at, completed_at, documents, bytes, error }) => [
          id,
          error === null ? state : `failed: ${error.message}`,
          showTime(completed_at ?? started_at),
          documents,
          bytes === null ? "" : showBytes(bytes),
        ]),
      ),
    );
  if (reply.work !== null) console.log(describeWork(reply.work));
  if (reply.last_restore !== null) console.log(describeRestore(reply.last_restore));
  return reply;
}

function describeRestore(restore: NonNullable<Snapshots["last_restore"]>): string {
  const { state, id, started_at, documents, error } = restore;
  const of = id === null ? "" : ` of ${id}`;
  const end = state === "done" ? `${documents} documents` : `failed: ${error?.message ?? UNTOLD}`;
  return oneLine(`the last restore${of}, begun ${showTime(started_at)}: ${end}`);
}

async function restore(client: Client, path: string, id: string, values: Values): Promise<unknown> {
  const at = `${path}/${encodeURIComponent(id)}`;
  if (!values.yes) {
    const { documents, completed_at, started_at } = (await client.call("GET", at)) as Snapshot;
    const time = showTime(completed_at ?? started_at);
    throw new CommandError(
      `this puts the ${documents} documents of ${time} in the place of all there are: add --yes`,
    );
  }
  const before = ((await client.call("GET", path)) as Snapshots).last_restore;
  await client.call("POST", `${at}/restore`);
  if (values["no-wait"]) {
    if (!values.json) console.log(`the restore of ${id} has begun`);
    return { id };
  }
  const progress = startCounter("restore", "documents", values.json === true);
  const done = await poll(progress, async () => {
    const { work, last_restore } = (await client.callAgain("GET", path)) as Snapshots;
    if (work?.kind === "restore") progress.update(work.documents);
    const ended = last_restore !== null && last_restore.started_at !== before?.started_at;
    return ended && work?.kind !== "restore" ? last_restore : null;
  });
  if (done.state === "failed")
    throw new CommandError(`the restore failed: ${done.error?.message ?? UNTOLD}`);
  if (!values.json) console.log(`restored ${done.documents} documents of ${id}`);
  return done;
}

async function remove(client: Client, path: string, id: string, values: Values): Promise<unknown> {
  const reply = await client.call("DELETE", `${path}/${encodeURIComponent(id)}`);
  if (!values.json) console.log(`removed ${id}`);
  return reply;
}

/** Asks until there is an answer, at once and then every `pauseMs`. The service gives up work that
 *  goes on failing, so there is one in the end. Where the service stays away, the error says that
 *  its work does not end with this. */
export async function poll<T>(
  progress: Pick<Progress, "end">,
  ask: () => Promise<T | null>,
  pauseMs = CLI_POLL_MS,
): Promise<T> {
  try {
    for (;;) {
      const answer = await ask();
      if (answer !== null) return answer;
      await wait(pauseMs);
    }
  } catch (error) {
    if (error instanceof ReplyError && error.passes)
      error.remedy = "what was begun goes on all the same: npx brink snapshot NS list shows it";
    throw error;
  } finally {
    progress.end();
  }
}
