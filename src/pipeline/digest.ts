import { hash } from "node:crypto";
import { Sha256 } from "../model/sha256.ts";

/** Of a longer text the runtime's own hash takes less time; for each it makes a stream, of which a
 *  part stays until the next collection of the whole heap. */
const OWN_CHARS_MAX = 1_000;

const encoder = new TextEncoder();

/** SHA-256 of a text's UTF-8 bytes, as 64 lower-case hexadecimal digits. In one call: what a
 *  promise of crypto.subtle costs is several times the hash. */
export function sha256Hex(text: string): string {
  if (text.length > OWN_CHARS_MAX) return hash("sha256", text, "hex");
  return new Sha256().update(encoder.encode(text)).digest();
}
