/** Seeded random numbers: the same on every machine and in every version. */

/** Doubles in [0, 1), 32 bits each, by sfc32 (Chris Doty-Humphrey's PractRand, 2010) from the
 *  seed and a stream number. Not for secrets. */
export function randomOf(seed: number, stream: number): () => number {
  // The seed is any double that is an integer: both halves of its 64 bits count.
  let a = mix(seed | 0);
  let b = mix(Math.floor(seed / 2 ** 32) ^ a);
  let c = mix(stream ^ b);
  let counter = 1;
  const next = () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  // As its author advises for seeds with few bits set.
  for (let i = 0; i < 12; i++) next();
  return next;
}

/** The finalizer of MurmurHash3 (Austin Appleby, public domain): each bit changes half the rest. */
function mix(x: number): number {
  let h = (x + 0x9e3779b9) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** A seed for a caller who gave none. */
export function freshSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}
