/** `npm run torture -- fuzz [--only NAME] [--seed N] [--cases N] [--case I]`, or `npm run fuzz`:
 *  what comes from outside, a target for each kind of it (test/fuzz), through the code that reads
 *  it; as many cases as each target asks for unless told. The first case that is not as it must be
 *  ends the run with the command that runs it again. A run is the same for the same seed. */
import { CASE_MS_MAX, fuzz, TARGETS, type Tally } from "../test/fuzz/fuzz.ts";
import { endWrongUse, readNumber, readProgram } from "./program.ts";
import { rowOf } from "./torture-row.ts";

/** The process's own heap is bound by --max-old-space-size; buffers lie outside of it. */
const HEAP_BYTES_MAX = 512 * 1024 * 1024;
const SHOW_MS = 5_000;

const HELP = `usage: npm run fuzz -- [--only NAME] [--seed S] [--cases N] [--case I]

  --only NAME  this target alone: ${TARGETS.map(({ name }) => name).join(", ")}
  --seed S     of the choices (1)
  --cases N    of each target (as many as each asks for)
  --case I     this one alone`;

const { values } = readProgram(HELP, {
  seed: { type: "string" },
  only: { type: "string" },
  cases: { type: "string" },
  case: { type: "string" },
});
const { only } = values;
const seed = readNumber("seed", values.seed, 1, { min: 0 });
const firstCase = readNumber("case", values.case, 0, { min: 0 });
const targets = TARGETS.filter(({ name }) => only === undefined || name === only);
if (targets.length === 0)
  endWrongUse(`there is no ${only}: there are ${TARGETS.map(({ name }) => name).join(", ")}`);

function line({ cases, ends, msMax, heapBytesMax }: Tally): string {
  const counts = [...ends].sort().map(([end, n]) => `${n} ${end}`);
  return (
    `${cases} cases: ${counts.join(", ")}; slowest ${msMax.toFixed(0)} ms, ` +
    `heap ${(heapBytesMax / 1e6).toFixed(0)} MB`
  );
}

const startMs = performance.now();
let cases = 0;
let failures = 0;
for (const target of targets) {
  const count = values.case === undefined ? readNumber("cases", values.cases, target.cases) : 1;
  const start = performance.now();
  let shown = start;
  console.log(`${target.name}, seed ${seed}: ${target.about}`);
  try {
    const tally = await fuzz(target, seed, [firstCase, count], (soFar) => {
      if (performance.now() - shown < SHOW_MS) return;
      shown = performance.now();
      console.log(`  ${line(soFar)}`);
    });
    console.log(`  ${line(tally)}; ${((performance.now() - start) / 1000).toFixed(0)} s`);
    cases += tally.cases;
    if (tally.msMax > CASE_MS_MAX || tally.heapBytesMax > HEAP_BYTES_MAX)
      throw new Error(`over the bounds: ${CASE_MS_MAX} ms a case, ${HEAP_BYTES_MAX / 1e6} MB`);
  } catch (error) {
    console.error(`FAILED ${(error as Error).message}`);
    failures += 1;
  }
}
if (failures > 0) process.exitCode = 1;
const ran = { cases: `${cases} cases`, injected: "nearly all", failures };
if (only === undefined)
  console.log(rowOf("fuzz", ran, { seed, seconds: (performance.now() - startMs) / 1000 }));
