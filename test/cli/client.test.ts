/** Calls of what may be no service of Brink's, over HTTP. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { connect, type ReplyError } from "../../cli/client.ts";
import { runBrink } from "../support/brink-cli.ts";
import { FakeBrink } from "./fake-brink.ts";

let service: FakeBrink;
beforeEach(async () => {
  service = await new FakeBrink().start();
});
afterEach(() => service.stop());

const HTML = { "content-type": "text/html; charset=utf-8" };
const PAGE = "<!DOCTYPE html>\n<html>\n<p>Welcome\n</html>\n";
/** What is said of a reply to a GET. */
async function said(
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<ReplyError> {
  service.canned.set("GET /admin/keys", [{ status, body, headers }]);
  const call = connect({ url: service.url }).call("GET", "/admin/keys");
  return call.then(
    () => expect.unreachable("it was taken for Brink"),
    (error) => error as ReplyError,
  );
}

it("what is no Brink is called so, in one line, whatever it answers", async () => {
  service.trace = {};
  const others: [number, unknown, Record<string, string>?][] = [
    [200, PAGE, HTML],
    [200, "welcome"],
    [200, {}],
    [200, { ok: true, keys: [] }],
    [404, PAGE, HTML],
    [501, PAGE, HTML],
    [404, { error: { code: 404, message: "File Not Found", type: "not_found_error" } }],
    [404, { detail: "Not Found" }],
  ];
  for (const [status, body, headers] of others) {
    const { message, code } = await said(status, body, headers);
    expect(message).toBe(`${service.url} answered ${status}, and it is no Brink: look at --url`);
    expect(code).toBe("not_brink");
  }
});

it("a stream is refused as well where a page comes", async () => {
  service.trace = {};
  service.canned.set("POST /v1/chat/completions", [{ status: 200, body: PAGE, headers: HTML }]);
  const { stream } = connect({ url: service.url });
  await expect(stream("/v1/chat/completions", {})).rejects.toThrow("it is no Brink");
});

it("what stands before a service while it is away is not called another", async () => {
  for (const status of [429, 500, 502, 530]) {
    const { message, code, passes } = await said(status, PAGE, HTML);
    expect(message).toContain(`answered ${status} in words that are not Brink's: wait, or`);
    expect([code, passes]).toEqual([null, true]);
  }
  const error = { message: "no such key", code: "not_found", type: "x", param: null };
  expect((await said(404, { error })).message).toBe("no such key (not_found)");
});

it("a result that cannot be told the exit status of is one document of --json too", async () => {
  service.canned.set("POST /v1/chat/completions", [{ status: 200, body: {} }]);
  const { code, out } = await runBrink(["ask", "q", "--json", "--url", service.url]);
  expect([code, Object.keys(JSON.parse(out))]).toEqual([1, ["error"]]);
});

it("a reply that breaks off is told as one, and may be asked for again", async () => {
  const headers = { "content-length": "100" };
  const { message, passes } = await said(200, "{", headers);
  expect(message).toMatch(/^the reply of http:\S+ broke off \(/);
  expect(passes).toBe(true);
});

it("the code and what to do are in the document of --json", async () => {
  service.canned.set("GET /admin/keys", [{ status: 404, body: PAGE, headers: HTML }]);
  const { code, out } = await runBrink(["keys", "list", "--json", "--url", `${service.url}/v1`]);
  expect([code, JSON.parse(out)]).toEqual([
    1,
    {
      error: {
        message: `${service.url} answered 404, and it is no Brink: look at --url`,
        code: "not_brink",
        remedy: expect.stringContaining("--url, BRINK_URL, or npx brink init"),
      },
    },
  ]);
});
