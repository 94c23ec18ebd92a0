/** What goes wrong behind a reply, for whoever reads the log: nobody else hears of it. */
export function logEvent(event: string, detail: string): void {
  console.error(JSON.stringify({ event, detail }));
}
