/** Vectors that callers bring: a JSON array, or base64 as OpenAI's embeddings have it. */
import { ServiceError } from "../../errors.ts";
import { VECTOR_DIM_MAX } from "../../limits.ts";
import { z } from "./common.ts";

/** What the OpenAPI document says of one. It is read by `readVector`: a schema that visits every
 *  number takes longer than all else that is done to a document. */
export const Embedding = z
  .union([z.array(z.number()).min(1).max(VECTOR_DIM_MAX), z.string()])
  .openapi({
    description:
      "A precomputed vector of the whole document, of the encoder's size: numbers, or base64 of " +
      "little-endian float32.",
  });

/** The vector, f32 [dim], its dim from 1 to VECTOR_DIM_MAX and every value finite; the number of
 *  dimensions and the norm are the pipeline's to check. Throws `invalid_request` with `param`. */
export function readVector(value: unknown, param: string): Float32Array {
  if (typeof value === "string") return fromBase64(value, param);
  if (!Array.isArray(value))
    throw refusal(param, "must be a list of numbers, or base64 of little-endian float32");
  if (value.length === 0 || value.length > VECTOR_DIM_MAX) throw refuseSize(param);
  const out = new Float32Array(value.length);
  for (let i = 0; i < value.length; i++) {
    const number: unknown = value[i];
    if (typeof number !== "number") throw refusal(`${param}[${i}]`, "expected number");
    out[i] = number;
    if (!Number.isFinite(out[i])) throw refusal(`${param}[${i}]`, "is beyond float32");
  }
  return out;
}

function fromBase64(text: string, param: string): Float32Array {
  // Every 3 bytes take 4 characters; a longer text is not worth decoding.
  if (text.length > Math.ceil((VECTOR_DIM_MAX * 4) / 3) * 4) throw refuseSize(param);
  const bytes = bytesOf(text);
  if (bytes === null || bytes.length === 0 || bytes.length % 4 !== 0)
    throw refusal(param, "is not base64 of float32 numbers");
  const view = new DataView(bytes.buffer);
  const out = new Float32Array(bytes.length / 4);
  if (out.length > VECTOR_DIM_MAX) throw refuseSize(param);
  for (let i = 0; i < out.length; i++) {
    out[i] = view.getFloat32(i * 4, true);
    if (!Number.isFinite(out[i])) throw refusal(param, `number ${i} is not finite`);
  }
  return out;
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> | null {
  let binary: string;
  try {
    binary = atob(base64);
  } catch {
    return null;
  }
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Base64 of the vector as little-endian f32, whatever the machine's own order is. */
export function toBase64(vector: Float32Array): string {
  const view = new DataView(new ArrayBuffer(vector.length * 4));
  for (let i = 0; i < vector.length; i++) view.setFloat32(i * 4, vector[i]!, true);
  return btoa(String.fromCharCode(...new Uint8Array(view.buffer)));
}

function refuseSize(param: string): ServiceError {
  return refusal(param, `a vector has 1 to ${VECTOR_DIM_MAX} numbers`);
}

function refusal(param: string, fact: string): ServiceError {
  return new ServiceError("invalid_request", `${param}: ${fact}`, { param });
}
