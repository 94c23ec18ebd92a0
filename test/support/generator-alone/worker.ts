/** The generator Worker as a Worker that a test can call and an inspector can look into: under the
 *  main Worker its isolate has no inspector of its own. The code that is measured is the same. */
import { Generator } from "../../../src/generator/worker.ts";
import { ModelStore } from "../../../src/store/model-store.ts";

export default class GeneratorAlone extends Generator {
  /** PUT /model stores the body under the name `model`; all else is the generator's. */
  override async fetch(request: Request): Promise<Response> {
    if (request.method !== "PUT") return super.fetch(request);
    const { MODELS } = this.env;
    const { size } = (await MODELS.put("files/alone", request.body))!;
    const model = {
      name: "model",
      kind: "generator" as const,
      file: "alone",
      bytes: size,
      sha256: "",
      architecture: "llama",
      tokenizer_bytes: 0,
      created_at: 0,
    };
    await new ModelStore(MODELS).publish(model, null);
    return Response.json({ size });
  }
}
