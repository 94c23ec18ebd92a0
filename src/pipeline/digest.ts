import { hash } from "node:crypto";
import { SHORT_CHARS_MAX, sha256OfShort } from "../model/sha256.ts";

/** SHA-256 of a text's UTF-8 bytes, as 64 lower-case hexadecimal digits. In one call: what a
 *  promise of crypto.subtle costs is several times the hash. */
export function sha256Hex(text: string): string {
  // For a longer one the runtime's takes less time; for each it makes a stream, of which a part
  // stays until the next collection of the whole heap.
  return text.length <= SHORT_CHARS_MAX ? sha256OfShort(text) : hash("sha256", text, "hex");
}
