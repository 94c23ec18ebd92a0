/** Calls that are given up where the service says nothing: one that takes a connection and never
 *  answers would hold the command for ever. */

/** Nothing came in time. */
export class SilenceError extends Error {}

/** As `fetch`, but each wait, for the reply's head and then for each piece of its body, is for `ms`
 *  at most; the time that its reader takes between two pieces does not count. What the call sends
 *  is within the first wait. Throws SilenceError, as reading the body does. */
export async function fetchWithin(ms: number, url: string, init: RequestInit): Promise<Response> {
  const call = new AbortController();
  const within = async <T>(coming: Promise<T>): Promise<T> => {
    const silence = new SilenceError(`nothing came for ${ms / 1000} s`);
    const timer = setTimeout(() => call.abort(silence), ms);
    try {
      return await coming;
    } finally {
      clearTimeout(timer);
    }
  };
  const { status, headers, body } = await within(fetch(url, { ...init, signal: call.signal }));
  const reader = body?.getReader();
  if (reader === undefined) return new Response(null, { status, headers });
  const pieces: UnderlyingSource<Uint8Array> = {
    async pull(out) {
      const { done, value } = await within(reader.read());
      if (done) out.close();
      else out.enqueue(value);
    },
    cancel: (why) => reader.cancel(why),
  };
  return new Response(new ReadableStream(pieces, { highWaterMark: 0 }), { status, headers });
}
