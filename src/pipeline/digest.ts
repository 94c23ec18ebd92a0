import { hash } from "node:crypto";

/** SHA-256 of a text's UTF-8 bytes, as 64 lower-case hexadecimal digits. In one call: what a
 *  promise of crypto.subtle or the stream of createHash costs is several times the hash. */
export function sha256Hex(text: string): string {
  return hash("sha256", text, "hex");
}
