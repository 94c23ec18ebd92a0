/** Directions in which an encoder's token embeddings differ most: what of them the prior looks at.
 *  Made of the encoder's table alone; no prompt and no label has a say in it. */
import type { Encoder } from "../src/model/encoder.ts";

/** BERT's vocabulary begins with special tokens, unused ones and single characters; from here on it
 *  is in the order of frequency. */
const FIRST_WORD = 1_996;
/** More rounds turn the last direction by less than a thousandth of a radian. */
const ROUNDS = 60;

/** The first `count` principal components of the token embeddings, unit vectors f64 [dim] each,
 *  where the r-th most frequent token counts 1 / r times (Zipf's law). O(vocabulary dim^2). */
export function tokenBasis(encoder: Encoder, count: number): Float64Array[] {
  const covariance = covarianceOf(encoder);
  let basis: Float64Array[] = Array.from({ length: count }, (_, k) => {
    // Any start that is in no direction's way; the vectors differ, so they span `count` directions.
    return Float64Array.from({ length: encoder.dim }, (_, j) => Math.sin((k + 1) * (j + 1) + k));
  });
  for (let round = 0; round < ROUNDS; round++)
    basis = orthonormal(basis.map((vector) => multiply(covariance, vector)));
  return basis;
}

/** f64 [dim, dim]. */
function covarianceOf(encoder: Encoder): Float64Array {
  const { dim, tokenizer } = encoder;
  const square = new Float64Array(dim * dim);
  const mean = new Float64Array(dim);
  let total = 0;
  for (let id = FIRST_WORD; id < tokenizer.vocab_size; id++) {
    const row = new Float32Array(dim);
    encoder.addToken(row, id, 1);
    const weight = 1 / (id - FIRST_WORD + 1);
    total += weight;
    for (let a = 0; a < dim; a++) {
      const x = weight * row[a]!;
      mean[a]! += x;
      for (let b = 0; b <= a; b++) square[a * dim + b]! += x * row[b]!;
    }
  }
  for (let a = 0; a < dim; a++)
    for (let b = 0; b <= a; b++) {
      const moment = square[a * dim + b]! / total - (mean[a]! * mean[b]!) / total ** 2;
      square[a * dim + b] = square[b * dim + a] = moment;
    }
  return square;
}

function multiply(matrix: Float64Array, vector: Float64Array): Float64Array {
  const dim = vector.length;
  return vector.map((_, a) => dot(matrix.subarray(a * dim, (a + 1) * dim), vector));
}

/** Gram and Schmidt's, in order. */
function orthonormal(vectors: readonly Float64Array[]): Float64Array[] {
  const done: Float64Array[] = [];
  for (const vector of vectors) {
    for (const unit of done) {
      const part = dot(unit, vector);
      for (let j = 0; j < vector.length; j++) vector[j]! -= part * unit[j]!;
    }
    const length = Math.sqrt(dot(vector, vector));
    done.push(vector.map((x) => x / length));
  }
  return done;
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let j = 0; j < a.length; j++) sum += a[j]! * b[j]!;
  return sum;
}
