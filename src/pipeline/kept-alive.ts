/** Work that goes on after a reply. */
import { loggedOf } from "../errors.ts";
import { logEvent } from "../log-event.ts";

/** One request's `waitUntil`, asked for once: each call of it leaves a kilobyte and more that only
 *  a collection of the whole heap takes back. What is handed over while anything is still under
 *  way is waited for with it. A failure is logged: nobody else hears of it. */
export function keptAlive(
  waitUntil: (work: Promise<unknown>) => void,
): (work: Promise<unknown>) => void {
  let underWay = 0;
  let release = () => {};
  const done = () => {
    underWay -= 1;
    if (underWay === 0) release();
  };
  const failed = (error: unknown) => {
    logEvent("work after a reply failed", loggedOf(error));
    done();
  };
  return (work) => {
    underWay += 1;
    if (underWay === 1)
      waitUntil(
        new Promise<void>((all) => {
          release = all;
        }),
      );
    work.then(done, failed);
  };
}
