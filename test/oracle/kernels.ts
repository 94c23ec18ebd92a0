/** The kernels' definitions: naive, in f64, over plain arrays. Each bears its kernel's name. */

type Numbers = ArrayLike<number>;

/** The error function to about 1e-15: its Taylor series, or a continued fraction beyond 3. */
export function erf(x: number): number {
  const z = Math.abs(x);
  if (z < 3) {
    let term = z;
    let sum = z;
    for (let n = 1; n < 80; n++) {
      term *= -(z * z) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (z + fraction);
  return Math.sign(x) * (1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + fraction));
}

export const gelu = (x: number) => (x / 2) * (1 + erf(x / Math.SQRT2));

/** Sums of q i [m, k] times w i [n, k]: exact, both being integers below 2^53. */
export function gemmInteger(q: Numbers, w: Numbers, m: number, n: number, k: number) {
  const sums = new Float64Array(m * n);
  for (let r = 0; r < m; r++)
    for (let c = 0; c < n; c++)
      for (let j = 0; j < k; j++) sums[r * n + c]! += q[r * k + j]! * w[c * k + j]!;
  return sums;
}

/** x f [m, k] times w f [n, k] transposed, plus bias [n]. */
export function linear(x: Numbers, w: Numbers, bias: Numbers, m: number, n: number, k: number) {
  return gemmInteger(x, w, m, n, k).map((sum, i) => sum + bias[i % n]!);
}

export function layernorm(x: Numbers, gamma: Numbers, beta: Numbers, dim: number, eps: number) {
  const y = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += dim) {
    const row = Array.from({ length: dim }, (_, j) => x[at + j]!);
    const mean = row.reduce((a, b) => a + b) / dim;
    const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / dim;
    for (let j = 0; j < dim; j++)
      y[at + j] = ((row[j]! - mean) / Math.sqrt(variance + eps)) * gamma[j]! + beta[j]!;
  }
  return y;
}

/** softmax(q k^T / sqrt(head_dim)) v, head by head; qkv f [n, 3 * width] holds q at 0,
 *  k at `width` and v at 2 * `width`. */
export function attention(qkv: Numbers, n: number, n_heads: number, head_dim: number) {
  const width = n_heads * head_dim;
  const stride = 3 * width;
  const out = new Float64Array(n * width);
  for (let h = 0; h < n_heads; h++)
    for (let i = 0; i < n; i++) {
      const scores = Array.from({ length: n }, (_, j) => {
        let dot = 0;
        for (let c = h * head_dim; c < (h + 1) * head_dim; c++)
          dot += qkv[i * stride + c]! * qkv[j * stride + width + c]!;
        return dot / Math.sqrt(head_dim);
      });
      const top = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - top));
      const sum = weights.reduce((a, b) => a + b);
      for (let c = h * head_dim; c < (h + 1) * head_dim; c++)
        for (let j = 0; j < n; j++)
          out[i * width + c]! += (weights[j]! / sum) * qkv[j * stride + 2 * width + c]!;
    }
  return out;
}

export function meanPool(x: Numbers, n: number, dim: number) {
  const mean = new Float64Array(dim);
  for (let i = 0; i < n * dim; i++) mean[i % dim]! += x[i]! / n;
  const length = Math.hypot(...mean);
  return mean.map((value) => (length > 0 ? value / length : 0));
}

/** How many of the bits of each code in `vectors` differ from those of `query`. */
export function hammingScan(query: Uint8Array, vectors: Uint8Array): number[] {
  const bits = (byte: number) => byte.toString(2).replaceAll("0", "").length;
  return Array.from({ length: vectors.length / query.length }, (_, i) =>
    query.reduce((sum, byte, j) => sum + bits(byte ^ vectors[i * query.length + j]!), 0),
  );
}
