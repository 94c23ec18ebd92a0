/** Each kernel alone, group by group. Each answer is checked against its oracle before it is timed,
 *  and each peer's too. A group is timed interleaved, in one process. */
import { refuseUnknown } from "../scripts/program.ts";
import { Kernels } from "../src/model/kernels.ts";
import { attentionKernels } from "./kernels-attention.ts";
import { encoderKernels } from "./kernels-encoder.ts";
import { gemmI8Kernels } from "./kernels-gemm-i8.ts";
import { matmulKernels } from "./kernels-matmul.ts";
import { compileKernels } from "./kernels-module.ts";
import type { BenchOptions } from "./main.ts";
import { type Candidate, type Result, report, timeInterleaved } from "./report.ts";
import { ceilings, writeFigure } from "./roofline.ts";

/** What is timed, in this order. A group builds its candidates, ours and the peers', and checks
 *  their answers; a candidate with `peer` gets a ratio. */
const GROUPS: Record<string, () => Promise<Candidate[]>> = {
  roofline: ceilings,
  "gemm-i8": gemmI8Kernels,
  encoder: encoderKernels,
  attention: attentionKernels,
  matmul: matmulKernels,
};

export async function run({ json, quick, only, svg }: BenchOptions): Promise<void> {
  const timing = quick
    ? { rounds: 5, sampleMs: 5, warmUpMs: 200 }
    : { rounds: 31, sampleMs: 20, warmUpMs: 300 };
  const names = only?.split(",") ?? Object.keys(GROUPS);
  refuseUnknown("kernels", names, GROUPS);
  const results: Result[] = [];
  for (const [name, candidates] of Object.entries(GROUPS))
    if (names.includes(name)) results.push(...(await timeInterleaved(await candidates(), timing)));
  console.log(
    `this machine takes: ${Kernels.create(compileKernels()).variant}; times are CPU time`,
  );
  report("kernels", results, json);
  if (svg !== null) writeFigure(results, svg);
}
