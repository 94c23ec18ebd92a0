/** What goes wrong behind a reply, for whoever reads the log: nobody else hears of it. `detail` has
 *  no text of a request's or an answer's: of an error that may quote one it is `loggedOf`'s. */
export function logEvent(event: string, detail: string): void {
  console.error(JSON.stringify({ event, detail }));
}
