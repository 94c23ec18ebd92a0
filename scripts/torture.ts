/** `npm run torture -- [--kills N] [--seed S]`: kills the running service with SIGKILL at random
 *  moments of ingest, merge, split, snapshot and restore, 200 times unless told, and checks after
 *  every start that nothing acknowledged is lost, nothing deleted is back, and that the index is as
 *  one made anew. About 5 s a kill. */
import { parseArgs } from "node:util";
import { torture } from "../test/torture/torture.ts";
import { exitOnSignals } from "./service.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "200" },
    seed: { type: "string", default: "1" },
  },
});

exitOnSignals();
const [kills, seed] = [Number(values.kills), Number(values.seed)];
console.log(`seed ${seed}, ${kills} kills`);
const startMs = performance.now();
const tally = await torture({ kills, seed, say: (line) => console.log(line) });
const during = Object.entries(tally.during).map(([kind, n]) => `${n} during ${kind}`);
const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
console.log(
  `${tally.kills} kills (${during.join(", ")}), ${tally.operations} acknowledged operations, ` +
    `up to ${tally.documents} documents on ${tally.shards} shards, ${seconds} s: ` +
    "no acknowledged document lost, no deleted one back, the index equal to a rebuilt one",
);
