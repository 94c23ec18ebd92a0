/** Waiting no longer than something is worth. */

/** What the call gives. Rejects as it does, or once `ms` are over, with what is told of as the
 *  platform's own failures are (toldCodeOf); the call may go on then. */
export async function within<T>(ms: number, call: () => T | Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = Object.assign(new Error(`no answer within ${ms} ms`), { retryable: true });
    timer = setTimeout(() => reject(error), ms);
  });
  try {
    return await Promise.race([call(), late]);
  } finally {
    clearTimeout(timer);
  }
}
