/** `npm run bench -- index`: the memory's index, alone and behind the service. */
import { refuseUnknown, WrongUse } from "../scripts/program.ts";
import { exitOnSignals } from "../scripts/service.ts";
import { type BoundedFigure, printFigures, writeFigures } from "./figures.ts";
import type { BenchOptions } from "./main.ts";

/** Parts in the order they run; a million passages, most of an hour, are asked for by name. */
const PARTS: Record<string, (data: string, quick: boolean) => Promise<BoundedFigure[]>> = {
  lexical: async (data, quick) => (await import("./index-lexical.ts")).benchLexical(data, quick),
  vectors: async (_data, quick) => vectorFigures(quick),
  service: async (data, quick) => (await import("./index-service.ts")).benchService(data, quick),
  million: async (data, quick) => (await import("./index-million.ts")).benchMillion(data, quick),
};
const BY_DEFAULT = "lexical,vectors,service";

export async function run({ json, quick, only, data }: BenchOptions): Promise<void> {
  const wanted = (only ?? BY_DEFAULT).split(",");
  refuseUnknown("index", wanted, PARTS);
  if (data === null)
    throw new WrongUse(
      "--data PATH is needed: a folder with texts in SQuAD's layout (.json) or BEIR's " +
        "(corpus.jsonl, queries.jsonl)",
    );
  exitOnSignals();
  const figures: BoundedFigure[] = [];
  for (const part of wanted) {
    const own = await PARTS[part]!(data, quick);
    printFigures(part, own);
    figures.push(...own.map((figure) => ({ ...figure, name: `${part}: ${figure.name}` })));
    if (json !== null) writeFigures("index", figures, json);
  }
}

/** Every time of the search over vectors, and how it stands beside the same in JavaScript. */
async function vectorFigures(quick: boolean): Promise<BoundedFigure[]> {
  const { benchVectors } = await import("./index-vectors.ts");
  const { results, bytesPerVector } = await benchVectors({ quick });
  const times = results.map(({ name, msMedian }) => ({ name, value: msMedian, unit: "ms" }));
  const ratios = results.flatMap(({ name, ratio, peer }) =>
    ratio === undefined
      ? []
      : [{ name: `${name}, beside ${peer}`, value: ratio, unit: "x", least: 10 }],
  );
  return [
    ...times,
    ...ratios,
    { name: "codes, resident", value: bytesPerVector, unit: "B/vector" },
  ];
}
