/** String formats as patterns. Ordinary values match, for a model that may not write what it means
 *  writes something else, and nobody can tell. No value matches that a reader may deny, so leap
 *  seconds, quoted names in email and the like are left out (docs/generation.md has them all).
 *  Sources: RFC 3339 (date, time, date-time, duration), RFC 5321 (email), RFC 1123 (hostname),
 *  RFC 9562 (uuid), RFC 4291 (ipv6), RFC 3986 (uri). */

/** A string is of a format where all of the patterns are found in it and it has `max` characters
 *  or fewer. */
export interface StringFormat {
  readonly patterns: readonly string[];
  readonly max: number;
}

const YEAR = "([1-9]\\d{3}|0[1-9]\\d\\d|00[1-9]\\d|000[1-9])";
const LEAP_YEAR = "(\\d\\d(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)";
const LONG_MONTH = "(0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])";
const SHORT_MONTH = "(0[469]|11)-(0[1-9]|[12]\\d|30)|02-(0[1-9]|1\\d|2[0-8])";
const DATE = `(${YEAR}-(${LONG_MONTH}|${SHORT_MONTH})|${LEAP_YEAR}-02-29)`;
const MINUTE = "([01]\\d|2[0-3]):[0-5]\\d";
const TIME = `${MINUTE}:[0-5]\\d(\\.\\d{1,9})?(Z|[+-]${MINUTE})`;

// No unit is left out between two others, as RFC 3339's grammar has it.
const N = "\\d{1,9}";
const CLOCK = `T(${N}H(${N}M(${N}S)?)?|${N}M(${N}S)?|${N}S)`;
const CALENDAR = `(${N}Y(${N}M(${N}D)?)?|${N}M(${N}D)?|${N}D)`;

const LABEL = "[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?";
// Top-level domains are not of digits alone (RFC 3696) and have two characters or more.
const TOP_LABEL = "[a-zA-Z][a-zA-Z0-9-]{0,61}[a-zA-Z0-9]";
const ATOM = "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+";

const BYTE = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = `${BYTE}\\.${BYTE}\\.${BYTE}\\.${BYTE}`;
const GROUP = "[0-9a-fA-F]{1,4}";
// By how many groups stand before `::`.
const SHORT_IPV6 = [0, 1, 2, 3, 4, 5, 6].map((before) => {
  const begin = before === 0 ? ":" : `(${GROUP}:){${before}}`;
  return `${begin}((:${GROUP}){1,${7 - before}}|:)`;
});
const IPV6 = [`(${GROUP}:){7}(${GROUP}|:)`, ...SHORT_IPV6, `::[fF]{4}:${IPV4}`].join("|");

// A registered name may have underscores, and storage services' have.
const NAME = "[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?";
const LAST_NAME = "[a-zA-Z]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?";
const HOST = `((${NAME}\\.)*${LAST_NAME}|${IPV4})`;
const PORT = "([1-9]\\d{0,3}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d\\d|655[0-2]\\d|6553[0-5])";
const escaped = (others: string) => `([a-zA-Z0-9._~!$&'()*+,;=:@${others}-]|%[0-9a-fA-F]{2})*`;
const PATH = `(/${escaped("")})*`;
const QUERY = escaped("/?");

const format = (pattern: string, max = Number.POSITIVE_INFINITY, ...others: string[]) => ({
  patterns: [`^(${pattern})$`, ...others],
  max,
});

export const FORMATS: Readonly<Record<string, StringFormat>> = {
  date: format(DATE),
  time: format(TIME),
  "date-time": format(`${DATE}T${TIME}`),
  duration: format(`P(${N}W|${CALENDAR}(${CLOCK})?|${CLOCK})`),
  email: format(
    `${ATOM}(\\.${ATOM})*@(${LABEL}\\.)+${TOP_LABEL}`,
    254,
    // RFC 5321 has 64 characters before the @.
    "^[!-?A-~]{1,64}@[!-~]*$",
  ),
  hostname: format(`(${LABEL}\\.)*${LABEL}`, 253),
  ipv4: format(IPV4),
  ipv6: format(IPV6),
  uuid: format("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
  // Models leave the scheme out. Were others allowed, "www" would begin as the scheme "ws" does.
  uri: format(`https?://${HOST}(:${PORT})?${PATH}(\\?${QUERY})?(#${QUERY})?`),
};
