/** A client that goes away while it sends its request. */

/** Nobody reads the reply, and nothing is at fault with the service. */
export class ClientLeft extends Error {}

/** What a read of the request's body gives. Throws ClientLeft where the body is cut: the runtime's
 *  own error for that looks like one of storage that is away. */
export async function received<T>(read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (cause) {
    throw new ClientLeft("the client broke off its request", { cause });
  }
}
