/** Bodies whose reader is watched. */

const CHUNK_BYTES = 1024;

/** A body of so many bytes, spaces and then `text`, in chunks of CHUNK_BYTES that are made as they
 *  are read; and what of it was read. */
export function endsAt(bytes: number, text: string) {
  const all = new TextEncoder().encode(text.padStart(bytes));
  const seen = { bytes: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>(
    {
      pull(stream) {
        const chunk = all.subarray(seen.bytes, seen.bytes + CHUNK_BYTES);
        seen.bytes += chunk.length;
        if (chunk.length > 0) stream.enqueue(chunk);
        else stream.close();
      },
      cancel() {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { body, seen };
}
