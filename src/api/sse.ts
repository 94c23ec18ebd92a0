/** Writes server-sent events, at the pace of whoever reads them. */

/** A body that holds one `data:` event a value, ending as the generator ends. One value is asked
 *  for at a time, so a slow reader slows the source. `onCancel` runs when the reader goes away
 *  early. The generator must not throw: what has gone wrong is one of its values. */
export function eventStream(
  values: AsyncGenerator<string>,
  onCancel: () => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await values.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(`data: ${value}\n\n`));
    },
    async cancel() {
      onCancel();
      await values.return(undefined);
    },
  });
}
