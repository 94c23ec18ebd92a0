import { createHash } from "node:crypto";

/** SHA-256 of a text's UTF-8 bytes, as 64 lower-case hexadecimal digits. At once: what
 *  crypto.subtle takes for its promise is several times what the hash takes. */
export function sha256Hex(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
