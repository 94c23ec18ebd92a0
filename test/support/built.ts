/** Before the tests in workerd: what they import must be built. Vitest keeps what it made of each
 *  file between runs, so that a first run without it would fail the later ones too. */
import { existsSync } from "node:fs";
import { join } from "node:path";

export default function setup(): void {
  const kernels = join(import.meta.dirname, "../../build/kernels.wasm");
  if (!existsSync(kernels)) throw new Error("nothing is built yet: run `npm run build` first");
}
