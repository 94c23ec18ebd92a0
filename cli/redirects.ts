/** Fetches what somebody else may lead elsewhere: redirects are followed one at a time, and each is
 *  looked at before anything is sent to where it leads. */
import { refuseAddress } from "../src/env-address.ts";
import { CLI_REDIRECTS_MAX } from "./limits.ts";
import { addressesOf, fetchPinned, type PinnedInit } from "./pinned.ts";

const REDIRECTS = [301, 302, 303, 307, 308];

/** Why one may not go from the one address to the other; null: one may. Throws where a name cannot
 *  be resolved. */
export type RedirectRule = (from: URL, to: URL) => string | null | Promise<string | null>;

/** The rule did not let a redirect be followed. */
export class RedirectRefusal extends Error {}

/** A GET of the http or https address: the reply that is no redirect, and from where it came.
 *  Throws RedirectRefusal, and Error for what is no such address or leads on and on. */
export async function fetchAlong(
  address: string,
  init: PinnedInit,
  rule: RedirectRule,
): Promise<{ response: Response; url: string }> {
  let from = new URL(address);
  for (let hops = 0; ; hops++) {
    const response = await fetchPinned(from, init);
    const location = response.headers.get("location");
    if (!REDIRECTS.includes(response.status) || location === null)
      return { response, url: from.href };
    await response.body?.cancel();
    if (hops === CLI_REDIRECTS_MAX) throw new Error(`more than ${CLI_REDIRECTS_MAX} redirects`);
    const to = URL.parse(location, from.href);
    if (to === null || !/^https?:$/.test(to.protocol))
      throw new Error(`a redirect leads to ${location}, which is no http or https address`);
    const why = await rule(from, to);
    if (why !== null) throw new RedirectRefusal(`a redirect leads to ${to.href}, ${why}`);
    from = to;
  }
}

/** For what a page names: nothing but its own origin. */
export function leavesOrigin(from: URL, to: URL): string | null {
  return from.origin === to.origin ? null : "which is another origin";
}

/** For what an operator names, who may name hosts of their own network: those may lead to each
 *  other, but a public host must not choose what is fetched there. What a name resolves to here is
 *  what fetchPinned connects to. */
export async function leadsInward(from: URL, to: URL): Promise<string | null> {
  if (from.hostname === to.hostname || !(await isPrivate(to, "some"))) return null;
  if (await isPrivate(from, "every")) return null;
  return "which is in a private network: name it yourself if you mean it";
}

/** Whether its name or address is of a private network, or else some or all that it resolves to. */
async function isPrivate({ hostname }: URL, of: "some" | "every"): Promise<boolean> {
  if (refuseHost(hostname)) return true;
  const found = await addressesOf(hostname);
  return found[of](({ address, family }) =>
    refuseHost(family === 6 ? `[${address.split("%")[0]}]` : address),
  );
}

function refuseHost(host: string): boolean {
  return refuseAddress(new URL(`https://${host}/`), false) !== null;
}
