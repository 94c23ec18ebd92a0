/** Writes server-sent events, at the pace of whoever reads them. */

/** One event; `data` must hold no line break, as JSON holds none. */
export function eventText(data: string, name?: string): string {
  return `${name === undefined ? "" : `event: ${name}\n`}data: ${data}\n\n`;
}

const encoder = new TextEncoder();

/** What is done where a stream of events ends. */
export interface EventEnds {
  /** The last events where the generator has thrown. */
  failed(error: unknown): string;
  /** The reader goes away early; the generator is ended next. */
  left(): void;
  /** Called once, however it ended, before its reader hears of the end. */
  ended(): Promise<void>;
}

/** A body of events, several in each of the generator's texts; what it returns is the last of them.
 *  One text is asked for at a time, so a slow reader slows the source. */
export function eventStream(
  events: AsyncGenerator<string, string>,
  ends: EventEnds,
): ReadableStream<Uint8Array> {
  let over = false;
  const end = async () => {
    if (over) return;
    over = true;
    await ends.ended();
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await events
        .next()
        .catch((error) => ({ done: true, value: ends.failed(error) }));
      if (over) return; // its reader left meanwhile
      if (done) await end();
      // Each write costs the runtime as much as a small answer: the last one ends the stream too.
      if (value !== "") controller.enqueue(encoder.encode(value));
      if (done) controller.close();
    },
    async cancel() {
      ends.left();
      await events.return("");
      await end();
    },
  });
}
