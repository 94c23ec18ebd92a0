/** Attention over the KV cache, whose numbers have 8 bits or 16. */
import type { AttentionKv, DecoderKernels, KvCache } from "./decoder-kernels.ts";
import { attentionKvScratchBytes, kvBytes } from "./decoder-kernels.ts";

/** 8 takes half the memory and time of 16 and is off by up to 1/254 of a head's greatest number;
 *  16 by a 254th of that. */
export type CacheBits = 8 | 16;

/** What a number's second byte counts: this part of the first's step. The rest left by rounding to
 *  127 steps is half a step at most, so scaled up it needs 127 steps as well. */
const FINE = 254;

/** Bytes of one layer's cache. */
export const cacheBytes = (
  bits: CacheBits,
  context: number,
  n_kv_heads: number,
  head_dim: number,
) => kvBytes(context, n_kv_heads, (head_dim * bits) / 8);

/** Room for one layer's cache. */
export const allocCache = (
  kernels: DecoderKernels,
  bits: CacheBits,
  context: number,
  { n_kv_heads, head_dim }: { n_kv_heads: number; head_dim: number },
): KvCache => kernels.allocKv(context, n_kv_heads, (head_dim * bits) / 8);

/** What `attend` allocates, and releases, for m tokens. */
export function attendBytes(
  bits: CacheBits,
  m: number,
  { n_heads, n_kv_heads, head_dim }: { n_heads: number; n_kv_heads: number; head_dim: number },
): number {
  if (bits === 8) return attentionKvScratchBytes(head_dim);
  return (
    m * (2 * n_heads + 2 * n_kv_heads) * 2 * head_dim * 4 + attentionKvScratchBytes(2 * head_dim)
  );
}

export interface Attend extends Omit<AttentionKv, "scratch"> {
  k: number; // f32, m rows `stride` floats apart, as q
  v: number;
  head_dim: number;
}

/** Keeps the keys and values of m tokens in the cache, of allocCache, and gives `out` f32
 *  [m, n_heads * head_dim]: what each token's queries see of all positions up to its own. */
export function attend(kernels: DecoderKernels, bits: CacheBits, a: Attend): void {
  const mark = kernels.mark();
  if (bits === 8) attendBytewise(kernels, a, a.head_dim);
  else attendWide(kernels, a);
  kernels.release(mark);
}

function attendBytewise(kernels: DecoderKernels, a: Attend, head_dim: number): void {
  kernels.kvAppend(a.cache, a.k, a.v, a.stride, a.position, a.m);
  const scratch = kernels.alloc(attentionKvScratchBytes(head_dim));
  kernels.attentionKv({ ...a, scratch });
}

/** Sixteen bits as two bytes in heads of twice the size: k = k1 + k2 / FINE, k1 being k to the
 *  nearest step and k2 the rest scaled up, of which the cache then holds k1 exactly. Queries see
 *  q k1 + (q / FINE) k2; of the values' two sums, out = o1 + o2 / FINE. */
function attendWide(kernels: DecoderKernels, a: Attend): void {
  const { m, stride, n_heads, cache, head_dim } = a;
  const { n_kv_heads } = cache;
  const width = (n_heads + 2 * n_kv_heads) * 2 * head_dim;
  const q = kernels.alloc(m * width * 4); // f32 [m, width]: q, k and v, every head twice as wide
  const k = q + n_heads * 2 * head_dim * 4;
  const v = k + n_kv_heads * 2 * head_dim * 4;
  const wide = kernels.alloc(m * n_heads * 2 * head_dim * 4); // f32 [m, n_heads, 2 head_dim]
  for (let i = 0; i < m; i++) {
    const row = (at: number, heads: number) => kernels.f32(at + i * stride * 4, heads * head_dim);
    const to = (at: number, heads: number) => kernels.f32(at + i * width * 4, heads * 2 * head_dim);
    repeatQueries(row(a.q, n_heads), to(q, n_heads), head_dim);
    splitHeads(row(a.k, n_kv_heads), to(k, n_kv_heads), head_dim);
    splitHeads(row(a.v, n_kv_heads), to(v, n_kv_heads), head_dim);
  }
  attendBytewise(kernels, { ...a, q, k, v, stride: width, out: wide }, 2 * head_dim);
  const sums = kernels.f32(wide, m * n_heads * 2 * head_dim);
  const out = kernels.f32(a.out, m * n_heads * head_dim);
  for (let i = 0, from = 0; i < out.length; i += head_dim, from += 2 * head_dim)
    for (let j = 0; j < head_dim; j++)
      out[i + j] = sums[from + j]! + sums[from + head_dim + j]! / FINE;
}

/** Heads of q, then of q / FINE; larger by sqrt(2), since the kernel divides by the square root of
 *  the doubled head. */
function repeatQueries(x: Float32Array, y: Float32Array, head_dim: number): void {
  for (let i = 0, to = 0; i < x.length; i += head_dim, to += 2 * head_dim)
    for (let j = 0; j < head_dim; j++) {
      y[to + j] = x[i + j]! * Math.SQRT2;
      y[to + head_dim + j] = (x[i + j]! * Math.SQRT2) / FINE;
    }
}

/** Each head's numbers to the nearest of 127 steps of their greatest, then FINE times what that
 *  leaves. */
function splitHeads(x: Float32Array, y: Float32Array, head_dim: number): void {
  for (let i = 0, to = 0; i < x.length; i += head_dim, to += 2 * head_dim) {
    let max = 0;
    for (let j = i; j < i + head_dim; j++) max = Math.max(max, Math.abs(x[j]!));
    const step = max / 127;
    for (let j = 0; j < head_dim; j++) {
      const coarse = step > 0 ? Math.round(x[i + j]! / step) * step : x[i + j]!;
      y[to + j] = coarse;
      y[to + head_dim + j] = (x[i + j]! - coarse) * FINE;
    }
  }
}
