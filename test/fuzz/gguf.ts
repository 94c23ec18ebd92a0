/** Model files: loaded or refused by name, with nothing left allocated. */
import { mulberry32 } from "../../eval/random.ts";
import { mutated } from "../model/gguf-mutations.ts";
import { fuzzBases, Victims } from "../model/gguf-victims.ts";
import type { Target } from "./target.ts";

export const ggufFiles: Target = {
  name: "gguf",
  about: "hostile model files through the loaders of decoders and encoders",
  cases: 100_000,
  short: 2_000,
  ends: ["loaded", "invalid_model_file", "model_too_large"],
  prepare: () => {
    const bases = fuzzBases();
    const victims = new Victims();
    return (random, show) => {
      const base = random.pick(bases);
      const bytes = mutated(base, mulberry32(random.below(2 ** 31)));
      show(`${bytes.length} bytes from ${base.name}`);
      return victims.meet(bytes, base.name === "bert", random.once(16));
    };
  },
};
