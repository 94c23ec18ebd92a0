/** SHA-256 of bytes that come in portions, which crypto.subtle cannot take: workerd's DigestStream
 *  where there is one, else the algorithm itself. Source: FIPS 180-4. */

/** The first 32 bits of the fractional part of the cube (or square) roots of the first primes. */
function fractions(count: number, root: (n: number) => number): Int32Array {
  const out = new Int32Array(count);
  for (let n = 2, found = 0; found < count; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false;
    if (prime) out[found++] = (root(n) % 1) * 2 ** 32;
  }
  return out;
}

const K = fractions(64, Math.cbrt);
const INITIAL = fractions(8, Math.sqrt);

/** A hash under way. `update` is done with its bytes when it resolves. */
export interface Hash {
  update(bytes: Uint8Array): Promise<void> | Hash;
  /** In hex. Nothing can be added afterwards. */
  digest(): Promise<string> | string;
}

/** The fastest SHA-256 that this runtime has. */
export function sha256(): Hash {
  if (typeof crypto.DigestStream !== "function") return new Sha256();
  const stream = new crypto.DigestStream("SHA-256");
  const writer = stream.getWriter();
  return {
    update: (bytes) => writer.write(bytes),
    digest: async () => {
      await writer.close();
      return hex(new Uint8Array(await stream.digest));
    },
  };
}

function hex(bytes: Iterable<number>): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Words of the block being hashed; one for all, since nothing waits in between. */
const w = new Int32Array(64);

/** About 60 MB/s on one busy core. */
export class Sha256 implements Hash {
  private readonly state = INITIAL.slice();
  private readonly block = new Uint8Array(64);
  private readonly blockView = new DataView(this.block.buffer);
  private length = 0;

  update(bytes: Uint8Array): this {
    let at = 0;
    const held = this.length % 64;
    this.length += bytes.length;
    if (held > 0) {
      at = Math.min(64 - held, bytes.length);
      this.block.set(bytes.subarray(0, at), held);
      if (held + at < 64) return this;
      compress(this.state, this.blockView, 0);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (; at + 64 <= bytes.length; at += 64) compress(this.state, view, at);
    this.block.set(bytes.subarray(at));
    return this;
  }

  digest(): string {
    const { state, block, blockView, length } = this;
    const held = length % 64;
    block[held] = 0x80;
    block.fill(0, held + 1);
    if (held >= 56) {
      compress(state, blockView, 0);
      block.fill(0);
    }
    writeLength(blockView, 56, length);
    compress(state, blockView, 0);
    return hexOf(state);
  }
}

/** Of the texts that `sha256OfShort` takes, in UTF-16 units. */
export const SHORT_CHARS_MAX = 1_000;

const encoder = new TextEncoder();
/** At most three bytes a unit, and whole blocks with the padding. */
const padded = new Uint8Array(64 * Math.ceil((3 * SHORT_CHARS_MAX + 9) / 64));
const paddedView = new DataView(padded.buffer);
const working = new Int32Array(8);

/** SHA-256 of the UTF-8 bytes of a text of at most SHORT_CHARS_MAX, in hex. It makes no object but
 *  the text: each typed array of a hash costs the collector more than the hash does. Throws
 *  RangeError for a longer text. */
export function sha256OfShort(text: string): string {
  if (text.length > SHORT_CHARS_MAX) throw new RangeError(`over ${SHORT_CHARS_MAX} characters`);
  const { written } = encoder.encodeInto(text, padded);
  const end = 64 * Math.ceil((written + 9) / 64);
  padded[written] = 0x80;
  padded.fill(0, written + 1, end);
  writeLength(paddedView, end - 8, written);
  working.set(INITIAL);
  for (let at = 0; at < end; at += 64) compress(working, paddedView, at);
  return hexOf(working);
}

/** The length in bits, below 2^56. */
function writeLength(view: DataView, at: number, bytes: number): void {
  view.setUint32(at, Math.floor(bytes / 2 ** 29));
  view.setUint32(at + 4, (bytes * 8) % 2 ** 32);
}

function hexOf(state: Int32Array): string {
  let out = "";
  for (const word of state) out += (word >>> 0).toString(16).padStart(8, "0");
  return out;
}

/** Takes the 64 bytes of `view` at `at` into the state. */
function compress(state: Int32Array, view: DataView, at: number): void {
  for (let i = 0; i < 16; i++) w[i] = view.getInt32(at + 4 * i);
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15]!;
    const y = w[i - 2]!;
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = (w[i - 16]! + s0 + w[i - 7]! + s1) | 0;
  }
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  let f = state[5]!;
  let g = state[6]!;
  let h = state[7]!;
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i]! + w[i]!) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0] = state[0]! + a;
  state[1] = state[1]! + b;
  state[2] = state[2]! + c;
  state[3] = state[3]! + d;
  state[4] = state[4]! + e;
  state[5] = state[5]! + f;
  state[6] = state[6]! + g;
  state[7] = state[7]! + h;
}
