/** What generation sees of a decoder: ids in, logits out, and a KV cache that can be cut back. */
export interface TokenModel {
  readonly vocab_size: number;
  /** Positions that the KV cache holds. */
  readonly context_length: number;
  /** Tokens that are in the KV cache now. */
  readonly length: number;
  /** Appends `ids` and gives the logits, f32 [rows, vocab_size], of the last `rows` of them (1 by
   *  default, at most ids.length). The view may be written to and is valid until the next call.
   *  Asserts that length + ids.length <= context_length. */
  append(ids: readonly number[], rows?: number): Float32Array;
  /** Forgets what follows the first `length` tokens. */
  truncate(length: number): void;
}
