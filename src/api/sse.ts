/** Writes server-sent events, at the pace of whoever reads them. */

/** One event; `data` must hold no line break, as JSON holds none. */
export function eventText(data: string, name?: string): string {
  return `${name === undefined ? "" : `event: ${name}\n`}data: ${data}\n\n`;
}

/** A body of events, ending as the generator ends. One is asked for at a time, so a slow reader
 *  slows the source. `onCancel` runs when the reader goes away early. The generator must not throw:
 *  what has gone wrong is one of its events. */
export function eventStream(
  events: AsyncGenerator<string>,
  onCancel: () => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await events.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      onCancel();
      await events.return(undefined);
    },
  });
}
