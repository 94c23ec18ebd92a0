/** Keeps callers' mistakes out of the terminal of a local run. */
import { stripVTControlCharacters } from "node:util";

/** What wrangler makes of an exception that workerd reports, and of the frames below it. A promise
 *  that nobody waited for says `(in promise)`, and is a bug also where it is a ServiceError. */
const HEAD = /^✘ \[ERROR\] Uncaught ServiceError: /;
const FRAME = /^ {6}at /;

/** Hands on all lines but those on ServiceErrors that a Durable Object's method threw. workerd
 *  reports each as uncaught, but it has crossed RPC to the main Worker, which has answered it: a
 *  404 is no failure of the service's, and of a failure (5xx) it writes a line of its own. Bugs
 *  have other names, alarms catch what they throw. Of a message of several lines the first goes. */
export function withoutAnswered(print: (line: string) => void): (line: string) => void {
  let within = false;
  return (line) => {
    const plain = stripVTControlCharacters(line);
    within = HEAD.test(plain) || (within && FRAME.test(plain));
    if (!within) print(line);
  };
}
