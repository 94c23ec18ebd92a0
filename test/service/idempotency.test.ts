/** Writes under an idempotency key, against the built Worker. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { LOCAL_ADMIN_KEY } from "../../scripts/service.ts";
import { START_MS_MAX, startTestService, type TestService } from "../support/running-service.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
}, START_MS_MAX);
afterAll(() => service?.stop());

const post = (path: string, body: object, key: string) =>
  fetch(service.url + path, {
    method: "POST",
    headers: {
      authorization: `Bearer ${LOCAL_ADMIN_KEY}`,
      "content-type": "application/json",
      "idempotency-key": key,
    },
    body: JSON.stringify(body),
  });

it(
  "a key that is made again is the same key, its text included, also after a restart",
  async () => {
    const first = await post("/admin/keys", { name: "app" }, "make-1");
    const made = (await first.json()) as { id: string; key: string };
    expect(first.status).toBe(201);
    await service.restart();
    const again = await post("/admin/keys", { name: "app" }, "make-1");
    expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([201, "true"]);
    expect(await again.json()).toEqual(made);
    const { body } = await service.call("GET", "/admin/keys");
    expect(body.keys.filter(({ name }: { name: string }) => name === "app")).toHaveLength(1);
    expect((await post("/admin/keys", { name: "other" }, "make-1")).status).toBe(422);
  },
  START_MS_MAX,
);

it("of 20 at once one is done, and the others wait their turn", async () => {
  await service.call("PUT", "/admin/namespaces/notes", {});
  const documents = [{ text: "The ferry leaves at noon." }];
  const send = () => post("/admin/namespaces/notes/documents", { documents }, "load-1");
  const replies = await Promise.all(Array.from({ length: 20 }, send));
  const fresh = replies.filter((reply) => reply.ok && !reply.headers.has("idempotent-replayed"));
  expect(fresh).toHaveLength(1);
  const others = new Set(replies.filter((reply) => !fresh.includes(reply)).map((r) => r.status));
  expect([...others].every((status) => status === 200 || status === 409)).toBe(true);
  const last = await send();
  expect(await last.json()).toEqual(await fresh[0]!.json());
});
