const encoder = new TextEncoder();

/** How many bytes of UTF-8 a text has. */
export function utf8Length(text: string): number {
  return encoder.encode(text).length;
}

/** Bytes that come in parts of any size and number: a list of four million parts of a byte each
 *  would take a hundred times what is in them. Linear; holds three times its bytes at most, while
 *  it grows. */
export class GatheredBytes {
  #bytes = new Uint8Array(0);
  #length = 0;

  append(part: Uint8Array): void {
    const length = this.#length + part.length;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(part, this.#length);
    this.#length = length;
  }

  /** What was appended since the last `clear`; others overwrite it after the next. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forgets the bytes, not the room for them. */
  clear(): void {
    this.#length = 0;
  }
}

/** Bytes that come in parts, as one array; a single part is itself. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
