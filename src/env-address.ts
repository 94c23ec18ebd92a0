/** Which hosts a backend's URL may name. The URL is an operator's, but a slip or a stolen
 *  deployment right must not turn the service into a way into the network around it. */

/** Why a backend may not be at `url`, in words, or null where it may. Outside local development
 *  only https, and no name or address of a private network. The URL parser has undone numeric
 *  tricks (0x7f.1, 2130706433, 127.1, full-width digits) before this looks. What a public name
 *  resolves to is not known here: Cloudflare's network has no private addresses to reach, and on
 *  other runtimes the network must forbid it. */
export function refuseAddress(url: URL, local: boolean): string | null {
  if (url.protocol !== "https:" && url.protocol !== "http:") return "must be an http or https URL";
  if (url.username !== "" || url.password !== "")
    return "has a user or password in it: the key belongs in a secret";
  if (local) return null;
  if (url.protocol !== "https:") return "must be https outside local development";
  const host = url.hostname.replace(/(?<!\.)\.+$/, "").toLowerCase();
  const why = host.startsWith("[") ? refuseIpv6(host) : (refuseIpv4(host) ?? refuseName(host));
  return why === null ? null : `${why}, which is refused outside local development`;
}

function refuseName(host: string): string | null {
  if (/^\d+(\.\d+){3}$/.test(host)) return null; // a public address
  if (!host.includes(".")) return `names a host of a local network (${host})`;
  const domain = PRIVATE_DOMAINS.find((suffix) => host.endsWith(`.${suffix}`));
  return domain === undefined ? null : `names a host under .${domain}`;
}

/** Names that never stand in the public DNS: RFC 6761, 6762, 8375, and ICANN's of 2024. */
const PRIVATE_DOMAINS = ["localhost", "local", "internal", "home.arpa", "lan", "test", "invalid"];

/** Not globally reachable by IANA's special-purpose registry (RFC 6890), with multicast. */
const PRIVATE_IPV4: [string, number][] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10], // carrier-grade NAT
  ["127.0.0.0", 8],
  ["169.254.0.0", 16], // link-local, and clouds' metadata
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];

function refuseIpv4(host: string): string | null {
  const address = readIpv4(host);
  if (address === null) return null;
  const within = PRIVATE_IPV4.find(([base, bits]) => {
    const shift = 2 ** (32 - bits);
    return Math.floor(address / shift) === Math.floor(readIpv4(base)! / shift);
  });
  return within === undefined ? null : `is in ${within.join("/")}`;
}

function readIpv4(host: string): number | null {
  if (!/^\d+(\.\d+){3}$/.test(host)) return null;
  return host.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** Of IPv6 only the global unicast space, 2000::/3, and of that nothing that carries an IPv4
 *  address within or is for documentation. That leaves out loopback, ULA, link-local, multicast,
 *  NAT64 and the IPv4-mapped addresses. */
function refuseIpv6(host: string): string | null {
  const [first = 0, second = 0] = readIpv6Start(host.slice(1, -1));
  if (first < 0x2000 || first > 0x3fff) return "is an IPv6 address outside 2000::/3";
  if (first === 0x2002) return "is in 2002::/16";
  if (first === 0x2001 && second < 0x0200) return "is in 2001::/23";
  if (first === 0x2001 && second === 0x0db8) return "is in 2001:db8::/32";
  if (first === 0x3fff && second < 0x1000) return "is in 3fff::/20";
  return null;
}

/** The first two groups of an address as the URL parser writes it: lower case, zeros cut. */
function readIpv6Start(address: string): number[] {
  const head = address.split("::")[0]!;
  if (head === "") return [0, 0];
  return head.split(":").map((group) => Number.parseInt(group, 16));
}
