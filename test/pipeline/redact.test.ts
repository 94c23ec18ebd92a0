import { expect, it } from "vitest";
import { TRACE_TEXT_CHARS_MAX } from "../../src/limits.ts";
import { redact } from "../../src/pipeline/redact.ts";

it.each([
  ["write to jane.doe+x@mail.example.co.uk, please", "write to [email], please"],
  ["Authorization: Bearer abcdef0123456789", "Authorization: Bearer [key]"],
  ["use sk-proj-AbCdEf0123456789xyz now", "use [key] now"],
  ["brink_AbCdEf0123456789xyz", "[key]"],
  ["ghp_AbCdEf0123456789xyzAbCdEf", "[key]"],
  ["AKIAIOSFODNN7EXAMPLE is mine", "[key] is mine"],
  ["ASIAIOSFODNN7EXAMPLE is not", "[key] is not"],
  ["github_pat_11ABCDEFG0abcdefghij_klm", "[key]"],
  ...["pk_live", "rk_live", "gho", "ghs", "ghu", "glpat", "xoxb", "xoxp"].map((prefix) => [
    `${prefix}-AbCdEf0123456789xyz`,
    "[key]",
  ]),
  ["password=hunter22; next", "password=[key]; next"],
  ['{"api_key": "abcd1234"}', '{"api_key": "[key]"}'],
  ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl!", "[key]!"],
  ["postgres://joe:secret@db.example.com/x", "postgres://[key]@db.example.com/x"],
  ["-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----", "[key]"],
  ["card 4111 1111 1111 1111 ok", "card [card] ok"],
  ["4111-1111-1111-1111", "[card]"],
  ["call +49 30 1234567 today", "call [phone] today"],
  ["call (555) 123-4567 x", "call [phone] x"],
  ["card 4242 4242 4242 4242 12/34 567", "card [card] 12/34 567"],
  ["4242424242424242 12/34", "[card] 12/34"],
  ["4242-4242-4242-4242 123", "[card] 123"],
  ["7 4242 4242 4242 4242.", "7 [card]."],
  ["4242\u00a04242\u202f4242\u00a04242\u00a012/34", "[card]\u00a012/34"],
  ["4242\u20114242\u20114242\u20114242", "[card]"],
  ["4242 4242 4242 4242 5555 5555 5555 4444", "[card] [card]"],
  ["4242\u22124242\u22124242\u22124242", "[card]"],
  ["4242\t4242\t4242\t4242", "[card]"],
  ["\uff14\uff12".repeat(8), "[card]"],
  ["4242\u200b4242\u200b4242\u200b4242", "[card]"],
  ["to ja\u00adne\uff20example\uff0ecom.", "to [email]."],
  ["3782 822463 10005 exp 2026", "[card] exp 2026"],
  ["of 4222222222222 or", "of [card] or"],
  ["call 012 345 678 now", "call [phone] now"],
  // Two that overlap, and one within another.
  ["of 814858 98486886 994742.", "of [card]."],
  ["of 5 3106595659469 45916.", "of [card]."],
  ["of 2026-11-29 4242 4242 4242 4242", "of 2026-11-29 [card]"],
  ["call 2026-11-29 079 123 45 67", "call 2026-11-29 [phone]"],
  ["079 123 45 67 on 29.11.2026 079\u00a0123\u00a045\u00a067", "[phone] on 29.11.2026 [phone]"],
  ["redis://:s3cretpass@localhost:6379", "redis://[key]@localhost:6379"],
  ['password="my secret pass" next', 'password="[key]" next'],
  ["password: 'my secret pass'; next", "password: '[key]'; next"],
  ["token = `a b c d` next", "token = `[key]` next"],
  ['{"secret": "say \\"a\\" now", "n": 1}', '{"secret": "[key]", "n": 1}'],
  ['password="my secret\nnext line', 'password="[key]\nnext line'],
  ["-----BEGIN RSA KEY-----\nDEK-Info: AES-128-CBC,AB\n\nMIIE\n-----END RSA KEY-----!", "[key]!"],
  ["info@müller.de", "[email]"],
  ["jürgen.müller@example.de", "[email]"],
  ["to почта@пример.рф now", "to [email] now"],
])("%j becomes %j", (text, redacted) => {
  expect(redact(text)).toBe(redacted);
});

it.each([
  "On 2026-11-29 there were 1,234,567 of them, 28 days later 3.14159.",
  "What does report 0.0 name? 1234567890123456 is an order.",
  "4242 4242 4242 4243 is no card, and 2026-11-29-001 no number that calls",
  "from 2026-11-29 to 2026-12-01 or 29.11.2026 30.11.2026",
  "call 01 234 567 now",
  "the token ring of 1985 and the key of C",
  "set npm_config_registry, call hf_hub_download_in_parts and read pypi-publishing-for-beginners",
])("%j stays", (text) => {
  expect(redact(text)).toBe(text);
});

it.each([
  ...[
    "hf_",
    "gsk_",
    "r8_",
    "xai-",
    "nvapi-",
    "pplx-",
    "npm_",
    "pypi-Ag",
    "ghr_",
    "glrt-",
    "whsec_",
  ],
  ...["shpat_", "dop_v1_", "dckr_pat_", "xapp-1-", "tskey-auth-", "lin_api_", "GOCSPX-", "NRAK-"],
  ...["AIzaSyD", "ATATT3", "SG.", "hvs.", "ya29.", "AGE-SECRET-KEY-1"],
])("a key that begins with %s goes", (prefix) => {
  const key = `${prefix}AbCdEf0123456789xyzAbCdEf0123456789xyz`;
  expect(redact(`use ${key}, please`)).toBe("use [key], please");
});

it("a text is cut, and what the cut would halve is known first", () => {
  const text = `${"x ".repeat(TRACE_TEXT_CHARS_MAX / 2 - 5)}jane.doe@example.com and more`;
  const cut = redact(text);
  expect(cut.length).toBeLessThanOrEqual(TRACE_TEXT_CHARS_MAX + 1);
  expect(cut).not.toContain("jane");
  expect(redact("\ud83d".repeat(3), 2)).toBe("\ufffd\ufffd…");
});

it("the time grows with the length and no faster", () => {
  const hostile = [
    "eyJ-".repeat(1_000),
    "-----BEGIN A".repeat(400),
    "a.".repeat(2_000),
    `${"a@".repeat(2_000)}`,
    `${"1 ".repeat(2_000)}x`,
    "(1".repeat(2_000),
    "bearer ".repeat(600),
    "key=".repeat(1_000),
    "://a:".repeat(800),
    "sk-".repeat(1_300),
    "AGE-SECRET-KEY-".repeat(260),
    "SG.".repeat(1_300),
    "AIza".repeat(1_000),
    `-----BEGIN A-----${"- ".repeat(2_000)}`,
    'key="\\'.repeat(800),
    "ä".repeat(4_000),
    "4242 ".repeat(800),
    "4 ".repeat(2_000),
    "2026-11-29 ".repeat(360),
  ];
  const before = process.cpuUsage(); // others' work on the machine does not count
  for (const text of hostile) for (let i = 0; i < 10; i++) redact(text);
  // Measured 40 ms; a quadratic form takes seconds.
  expect(process.cpuUsage(before).user / 1_000).toBeLessThan(2_000);
});
