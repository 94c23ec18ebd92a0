/** The one decoder that this isolate holds. */
import { ServiceError } from "../errors.ts";
import { Generator } from "../generation/generator.ts";
import type { Turn } from "../generation/turns.ts";
import { MODEL_CHECK_MS_MAX } from "../limits.ts";
import { GENERATOR_LINEAR_BYTES_MAX } from "../model/check-decoder.ts";
import { Decoder } from "../model/decoder.ts";
import { DecoderKernels } from "../model/decoder-kernels.ts";
import kernelsModule from "../model/kernels-module.ts";
import type { ModelStore, StoredModel } from "../store/model-store.ts";

export interface Loaded {
  model: StoredModel;
  /** As it was asked for; the decoder's own may be shorter. */
  context: number;
  decoder: Decoder;
  generator: Generator;
}

/** Holds a model until another is asked for. Linear memory never shrinks, and when the collector
 *  gives back that of an instance that was dropped is its own affair: old and new together would
 *  pass the isolate's limit meanwhile. So the next model goes into the memory of the last one. */
export class Resident {
  #kernels: DecoderKernels | null = null;
  #start = 0;
  #loaded: Loaded | null = null;
  #checkedMs = 0;

  /** What is held now. */
  get loaded(): Loaded | null {
    return this.#loaded;
  }

  get kernels(): DecoderKernels | null {
    return this.#kernels;
  }

  /** The model of that name, loaded if it is not the one that is held, whose place it then takes.
   *  Must be called by who has the turn, which is renewed as the file comes. Errors:
   *  model_not_found, model_too_large with the arithmetic, invalid_model_file; generator_busy once
   *  the turn is another's. */
  async get(store: ModelStore, name: string, context: number, turn: Turn): Promise<Loaded> {
    const held = this.#loaded;
    const same = held !== null && held.model.name === name && held.context === context;
    if (same && Date.now() - this.#checkedMs < MODEL_CHECK_MS_MAX) return held;
    const model = await store.find(name);
    turn.renew();
    if (model?.kind !== "generator")
      throw new ServiceError("model_not_found", `there is no model ${JSON.stringify(name)}`, {
        param: "model",
      });
    this.#checkedMs = Date.now();
    if (same && held.model.file === model.file) return held;
    this.#loaded = null;
    return this.#load(store, model, context, turn);
  }

  async #load(store: ModelStore, model: StoredModel, context: number, turn: Turn): Promise<Loaded> {
    const stream = await store.open(model);
    turn.renew();
    const kernels = this.#emptied();
    // Whoever takes the turn from a load that is never done leaves it the memory it writes to.
    this.#kernels = null;
    try {
      const onRead = () => turn.renew();
      const decoder = await Decoder.load(kernels, stream, { context, onRead });
      const generator = new Generator(decoder, decoder.tokenizer);
      turn.renew();
      this.#loaded = { model, context, decoder, generator };
      return this.#loaded;
    } finally {
      if (turn.isHeld()) this.#kernels = kernels;
    }
  }

  /** The kernels with nothing in their memory. */
  #emptied(): DecoderKernels {
    if (this.#kernels === null) {
      const bytesMax = GENERATOR_LINEAR_BYTES_MAX;
      this.#kernels = DecoderKernels.create(kernelsModule, { bytesMax });
      this.#start = this.#kernels.mark();
    }
    this.#kernels.release(this.#start);
    return this.#kernels;
  }
}
