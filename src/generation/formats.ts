/** String formats as patterns that describe a part of what each format allows, so that whatever
 *  matches is valid by any reader's rules: no 29 February, no leap second, no exotic addresses.
 *  Sources: RFC 3339 (date, time, date-time, duration), RFC 5321 (email), RFC 1123 (hostname),
 *  RFC 9562 (uuid), RFC 4291 (ipv6), RFC 3986 (uri). */

const LONG_MONTH = "(0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])";
const SHORT_MONTH = "(0[469]|11)-(0[1-9]|[12]\\d|30)|02-(0[1-9]|1\\d|2[0-8])";
const DATE = `[12]\\d{3}-(${LONG_MONTH}|${SHORT_MONTH})`;
const TIME = "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,6})?(Z|[+-](0\\d|1[0-3]):[0-5]\\d)";
const LABEL = "[a-zA-Z0-9]{1,20}(-[a-zA-Z0-9]{1,20})?";
const HOST = `(${LABEL}\\.){1,4}[a-zA-Z]{2,10}`;
const BYTE = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const PATH = "(/[a-zA-Z0-9._~-]{0,100}){0,8}";

export const FORMATS: Readonly<Record<string, string>> = {
  date: `^${DATE}$`,
  time: `^${TIME}$`,
  "date-time": `^${DATE}T${TIME}$`,
  duration: "^P(\\d{1,4}W|\\d{1,4}D(T\\d{1,4}H)?|T\\d{1,4}(H(\\d{1,4}M)?|M(\\d{1,4}S)?|S))$",
  email: `^[a-zA-Z0-9]{1,30}([._+-][a-zA-Z0-9]{1,20})?@${HOST}$`,
  hostname: `^${HOST}$`,
  ipv4: `^${BYTE}\\.${BYTE}\\.${BYTE}\\.${BYTE}$`,
  ipv6: "^([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}$",
  uuid: "^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
  uri: `^https?://${HOST}${PATH}$`,
};
