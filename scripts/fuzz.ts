/** `npm run fuzz -- [--seed N] [--files N]`: hostile model files, 100,000 unless told, through the
 *  loaders of decoders and encoders. Each must be loaded or refused by name; the first that is not
 *  ends the run with its number. A run is the same for the same seed. */
import { parseArgs } from "node:util";
import { FILE_MS_MAX, fuzz, type Tally } from "../test/model/gguf-fuzz.ts";

/** The process's own heap is bound by --max-old-space-size; buffers lie outside of it. */
const HEAP_BYTES_MAX = 512 * 1024 * 1024;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    files: { type: "string", default: "100000" },
  },
});

function line(tally: Tally): string {
  const { files, loaded, invalid_model_file, model_too_large, msMax, heapBytesMax } = tally;
  return (
    `${files} files: ${loaded} loaded, ${invalid_model_file} invalid_model_file, ` +
    `${model_too_large} model_too_large; slowest ${msMax.toFixed(0)} ms, ` +
    `heap ${(heapBytesMax / 1e6).toFixed(0)} MB`
  );
}

const [seed, files] = [Number(values.seed), Number(values.files)];
console.log(`seed ${seed}, ${files} files`);
const start = performance.now();
let shown = start;
const tally = await fuzz(seed, 0, files, (soFar) => {
  if (performance.now() - shown < 5_000) return;
  shown = performance.now();
  console.log(line(soFar));
});
console.log(`${line(tally)}; ${((performance.now() - start) / 1000).toFixed(0)} s`);
if (tally.msMax > FILE_MS_MAX || tally.heapBytesMax > HEAP_BYTES_MAX) {
  console.error(`over the bounds: ${FILE_MS_MAX} ms a file, ${HEAP_BYTES_MAX / 1e6} MB`);
  process.exit(1);
}
