import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { JobReply, JobsReply } from "../../src/api/schema/jobs.ts";
import { BODY_BYTES_MAX } from "../../src/limits.ts";
import { startApi } from "./fake-service.ts";

/** Failures that are the service's own are logged. */
beforeEach(() => {
  vi.spyOn(console, "error").mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
});

const JOBS = "/admin/namespaces/docs/jobs";
const NDJSON = { "content-type": "application/x-ndjson" };

async function startJob() {
  const api = startApi();
  const made = await api.call(JOBS, { json: { name: "corpus.ndjson" } });
  expect(made.status).toBe(201);
  const { id } = JobReply.parse(await made.json());
  const send = (from: number, lines: string[], end = "\n") =>
    api.call(`${JOBS}/${id}/lines?from=${from}`, {
      raw: lines.map((line) => line + end).join(""),
      headers: NDJSON,
    });
  const read = async () => JobReply.parse(await (await api.call(`${JOBS}/${id}`)).json());
  const texts = () =>
    api.service.calls.flatMap((call) =>
      call[0] === "ingest" ? (call[3] as { text: string }[]).map(({ text }) => text) : [],
    );
  return { ...api, id, send, read, texts };
}

const LINES = ["one", "two", "three", "four"].map((text) => JSON.stringify({ text }));

it("a job begins at line 0, named or not, and is listed without its errors", async () => {
  const { call, id, read } = await startJob();
  expect(await read()).toMatchObject({ id, name: "corpus.ndjson", state: "open", lines: 0 });
  const unnamed = await call(JOBS, { method: "POST" });
  expect(JobReply.parse(await unnamed.json()).name).toBeNull();
  const { jobs } = JobsReply.parse(await (await call(JOBS)).json());
  expect(jobs.map(({ name }) => name)).toEqual(["corpus.ndjson", null]);
  expect(jobs[0]).not.toHaveProperty("errors");
});

it("parts move the job on, in lines and bytes, and every error has its line", async () => {
  const { send, texts } = await startJob();
  await send(0, [LINES[0]!, "", "nonsense"]);
  const reply = await send(3, [LINES[1]!, '{"text":"same"}', '{"text":"too much"}']);
  const job = JobReply.parse(await reply.json());
  const bytes = [LINES[0]!, "", "nonsense", LINES[1]!, '{"text":"same"}', '{"text":"too much"}'];
  expect(job).toMatchObject({
    lines: 6,
    bytes: bytes.join("\n").length + 1,
    upserted: 2,
    unchanged: 1,
    passages: 2,
    error_count: 2,
  });
  expect(job.errors.map(({ line, code }) => [line, code])).toEqual([
    [2, "invalid_json"],
    [5, "memory_full"],
  ]);
  expect(texts()).toEqual(["one", "two", "same", "too much"]);
});

it("lines before the job's position are skipped, so that a part can be sent again", async () => {
  const { send, texts, read } = await startJob();
  await send(0, LINES.slice(0, 2));
  await send(0, LINES.slice(0, 2));
  expect((await read()).lines).toBe(2);
  await send(1, LINES.slice(1));
  expect(await read()).toMatchObject({ lines: 4, upserted: 4, error_count: 0 });
  expect(texts()).toEqual(["one", "two", "three", "four"]);
});

it("a file that is cut anywhere at line ends comes to the same job", async () => {
  const whole = await startJob();
  await whole.send(0, LINES);
  for (const cut of [1, 2, 3]) {
    const parts = await startJob();
    await parts.send(0, LINES.slice(0, cut));
    await parts.send(cut, LINES.slice(cut));
    expect({ ...(await parts.read()), id: whole.id }).toEqual(await whole.read());
  }
});

it("a part that would leave lines out is a conflict and stores nothing", async () => {
  const { send, texts } = await startJob();
  await send(0, LINES.slice(0, 1));
  const response = await send(2, LINES.slice(2));
  expect(response.status).toBe(409);
  expect(await response.json()).toMatchObject({ error: { code: "conflict", param: "from" } });
  expect(texts()).toEqual(["one"]);
});

it("what was stored before a part broke off is where the job goes on", async () => {
  const { send, service, read, texts } = await startJob();
  const real = service.memoryAdmin.ingest.bind(service.memoryAdmin);
  const many = Array.from({ length: 2_500 }, (_, i) => JSON.stringify({ text: `${i}` }));
  let calls = 0;
  service.memoryAdmin.ingest = (...args) => {
    calls += 1;
    const starting = Object.assign(new Error("not yet"), { code: "starting" });
    return calls === 3 ? Promise.reject(starting) : real(...args);
  };
  expect((await send(0, many)).status).toBe(503);
  const { lines, bytes } = await read();
  expect(lines).toBe(2_000);
  expect(bytes).toBe(many.slice(0, lines).join("\n").length + 1);
  expect((await send(lines, many.slice(lines))).status).toBe(200);
  expect(await read()).toMatchObject({ lines: 2_500, upserted: 2_500 });
  expect(new Set(texts()).size).toBe(2_500);
});

it("a part above the bound of a body is refused", async () => {
  const { send, read } = await startJob();
  const response = await send(0, ["x".repeat(3_000_000), "y".repeat(BODY_BYTES_MAX - 3_000_001)]);
  expect(response.status).toBe(413);
  expect((await read()).lines).toBe(0);
});

it("two who send the same lines at once: one goes on, the other gets a conflict", async () => {
  const { send, read, service } = await startJob();
  const real = service.memoryAdmin.getJob.bind(service.memoryAdmin);
  const asked: (() => void)[] = [];
  service.memoryAdmin.getJob = async (...args) => {
    const job = await real(...args);
    await new Promise<void>((both) => {
      asked.push(both);
      if (asked.length === 2) for (const go of asked) go();
    });
    return job;
  };
  const statuses = (await Promise.all([send(0, LINES), send(0, LINES)])).map(
    ({ status }) => status,
  );
  service.memoryAdmin.getJob = real;
  expect(statuses.sort()).toEqual([200, 409]);
  expect((await read()).lines).toBe(4);
});

it("a finished job takes no lines, a forgotten one is not found", async () => {
  const { call, outcome, send, id } = await startJob();
  const finished = await call(`${JOBS}/${id}/finish`, { method: "POST" });
  expect(await finished.json()).toMatchObject({ state: "finished" });
  expect((await send(0, LINES)).status).toBe(409);
  expect(await outcome(`${JOBS}/${id}`, { method: "DELETE" })).toEqual([200, null]);
  for (const [path, method] of [
    ["", "GET"],
    ["", "DELETE"],
    ["/finish", "POST"],
    ["/lines?from=0", "POST"],
  ])
    expect(await outcome(`${JOBS}/${id}${path}`, { method })).toEqual([404, "job_not_found"]);
});

it.each(["", "from=", "from=-1", "from=1.5", "from=x", "from=1e99"])(
  "lines sent with %j are refused",
  async (query) => {
    const { outcome, id } = await startJob();
    const body = { raw: LINES[0]!, headers: NDJSON };
    const [status, code] = await outcome(`${JOBS}/${id}/lines?${query}`, body);
    expect([status, code]).toEqual([400, "invalid_request"]);
  },
);

it("a job's name has a bound", async () => {
  const { outcome } = startApi();
  for (const json of [{ name: "x".repeat(201) }, { name: 7 }, { title: "x" }])
    expect(await outcome(JOBS, { json })).toEqual([400, "invalid_request"]);
  expect(await outcome("/admin/namespaces/nowhere/jobs", { json: {} })).toEqual([
    404,
    "namespace_not_found",
  ]);
});

it("a line that met a shard which does not answer is not passed over", async () => {
  const { send, service, read } = await startJob();
  const real = service.memoryAdmin.ingest.bind(service.memoryAdmin);
  service.memoryAdmin.ingest = async (...args) => {
    const outcome = await real(...args);
    outcome.errors.push({ index: 1, code: "shard_unavailable", message: "try again" });
    return outcome;
  };
  const failed = await send(0, LINES);
  expect(failed.status).toBe(503);
  expect(await failed.json()).toMatchObject({ error: { code: "shard_unavailable" } });
  expect(await read()).toMatchObject({ lines: 0, error_count: 0 });
});
