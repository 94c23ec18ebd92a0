/** String formats: ordinary values can be written, and whatever is written is valid. */
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { expect, it } from "vitest";
import { FORMATS } from "../../src/generation/formats.ts";
import { grammarOf } from "../../src/generation/grammar.ts";
import { hash } from "./fake-model.ts";
import { acceptor, formatOf } from "./schemas.ts";

const label = "a".repeat(63);
const groups = "2001:db8:85a3:8d3:1319:8a2e:370:7348";

const WRITTEN: Record<string, string[]> = {
  date: ["2024-02-29", "2000-02-29", "1999-12-31", "0476-09-04", "0004-02-29", "2025-04-30"],
  time: ["23:59:59Z", "00:00:00+14:00", "12:30:00-03:30", "08:15:30.123456789Z"],
  "date-time": ["2024-02-29T12:00:00Z", "1963-06-19T08:30:06.283185Z", "2026-11-30T23:59:59+05:45"],
  duration: ["P1Y2M10DT2H30M5S", "PT36H", "P2W", "P1DT12H", "PT15M", "P1Y", "P6M", "PT86400S"],
  email: [
    "info@my-old-shop.de",
    "john.von.neumann@example.com",
    "o'brien+news@mail.example.co.uk",
    "a_b-c@a--b.museum",
    "x@xn--bcher-kva.xn--p1ai",
    `${"l".repeat(64)}@${label}.${label}.com`,
  ],
  hostname: [
    "a-b-c.example.com",
    "localhost",
    "db1",
    "3com.com",
    "r3---sn-4g5e6nz7.googlevideo.com",
    "ec2-198-51-100-1.us-west-2.compute.amazonaws.com",
    `${`${label}.`.repeat(3)}${"a".repeat(61)}`,
  ],
  ipv4: ["0.0.0.0", "255.255.255.255", "192.168.1.10"],
  ipv6: [
    groups,
    "::",
    "::1",
    "fe80::1",
    "2001:DB8::8a2e:370:7348",
    "1:2:3:4:5:6:7::",
    "::ffff:192.0.2.1",
  ],
  uuid: [
    "00000000-0000-0000-0000-000000000000",
    "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6",
    "00112233-4455-6677-c899-aabbccddeeff",
  ],
  uri: [
    "https://www.youtube.com/watch?v=x&t=1#a",
    "http://localhost:8787/v1/chat%20rooms/",
    "https://example.com?q=a/b?c",
    "https://en.wikipedia.org/wiki/Set_(mathematics)#Sub-sets",
    "http://192.168.1.10:65535",
    "https://my_bucket.s3.amazonaws.com/a;b=1,2/@me",
    `https://example.com/${"long/".repeat(400)}`,
  ],
};

const REFUSED: Record<string, string[]> = {
  date: ["2023-02-29", "1900-02-29", "2100-02-29", "2024-02-30", "0000-01-01", "2024-04-31"],
  time: ["24:00:00Z", "12:00:00", "23:59:60Z", "12:00:00+24:00", "12:00Z"],
  "date-time": ["2023-02-29T12:00:00Z", "2024-02-29 12:00:00Z", "2024-02-29T12:00:00"],
  duration: ["P", "PT", "P1DT", "P1W2D", "PT1H5S", "P1D2M", "PT1.5S"],
  email: [
    ".a@example.com",
    "a.@example.com",
    "a..b@example.com",
    "a@localhost",
    "a@-b.com",
    "a@b-.com",
    "a@example.123",
    '"a b"@example.com',
    "a@[192.0.2.1]",
    `${"l".repeat(65)}@example.com`,
    `l@${label}a.com`,
    `${"l".repeat(64)}@${label}.${label}.${label}`,
  ],
  hostname: [
    "-a.com",
    "a-.com",
    "a..com",
    "a_b.com",
    "a.com.",
    `${label}a`,
    `${`${label}.`.repeat(3)}${"a".repeat(62)}`,
  ],
  ipv4: ["256.0.0.1", "1.2.3", "01.2.3.4", "1.2.3.4.5"],
  ipv6: [
    ":",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "12345::",
    "::1%eth0",
    "1:2:3:4:5:6:7:8:9",
    `${groups}::`,
  ],
  uuid: ["00000000000000000000000000000000", "g0000000-0000-0000-0000-000000000000"],
  uri: [
    "www.example.com",
    "https://",
    "https://example.com/a b",
    "https://example.com/%2",
    "https://example.com:65536/",
    "https://example.com#a#b",
    "https://-example.com/",
    "https://192.168.1.256/",
    "https://user@example.com/",
    "mailto:a@example.com",
  ],
};

const ajv = new Ajv2020({ strict: false });
// The package's types describe its CommonJS form.
(addFormats as unknown as (target: Ajv2020) => void)(ajv);

const QUOTE = 0x22;
const BYTES = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== QUOTE);
const LETTERS = BYTES.filter((byte) => /[a-z0-9]/.test(String.fromCharCode(byte)));

/** Values that a format allows, byte by byte as seeded chance has it: the first byte that may come
 *  from a drawn one on. Some prefer letters and digits, which make long labels and names. */
function* chanceValues(format: string, count: number): Generator<string> {
  const { automaton } = grammarOf(formatOf({ type: "string", format }))!;
  for (let seed = 0; seed < count; seed++) {
    const bytes: number[] = [];
    let state = automaton.step(automaton.start, QUOTE)!;
    for (;;) {
      const draw = hash(seed, bytes.length);
      const from = draw % 8 < seed % 8 ? LETTERS : BYTES;
      const at = (draw >>> 8) % from.length;
      const ends = draw % 64 < seed % 16 || bytes.length > 400;
      const order = [...(ends ? [QUOTE] : []), ...from.slice(at), ...from, ...BYTES, QUOTE];
      const byte = order.find((one) => automaton.step(state, one))!;
      if (byte === QUOTE) break;
      bytes.push(byte);
      state = automaton.step(state, byte)!;
    }
    yield Buffer.from(bytes).toString();
  }
}

it.each(Object.keys(FORMATS))(
  "an ordinary %s can be written, and nothing that is none",
  (format) => {
    const isAnswer = acceptor({ type: "string", format });
    const valid = ajv.compile({ type: "string", format });
    for (const value of WRITTEN[format]!) {
      expect(isAnswer(JSON.stringify(value)), value).toBe(true);
      expect(valid(value), value).toBe(true);
    }
    for (const value of REFUSED[format]!)
      expect(isAnswer(JSON.stringify(value)), value).toBe(false);
    for (const value of chanceValues(format, 200)) expect(valid(value), value).toBe(true);
  },
);

it("a schema may have every format, each with bounds of its own", () => {
  const properties = Object.fromEntries(
    Object.keys(FORMATS).map((format) => [
      format,
      { type: "string", format, minLength: 10, maxLength: 2_083 },
    ]),
  );
  const values = Object.keys(FORMATS).map((format) => [
    format,
    WRITTEN[format]!.find((value) => value.length >= 10),
  ]);
  const isAnswer = acceptor({ type: "object", properties });
  expect(isAnswer(JSON.stringify(Object.fromEntries(values)))).toBe(true);
});
