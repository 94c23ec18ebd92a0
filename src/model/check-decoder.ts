/** Whether a GGUF file is a decoder that the generator can load, judged by its header alone. */
import { type GgufHeader, invalidModel } from "./gguf.ts";
import { stringOf } from "./metadata.ts";

const ARCHITECTURES = ["llama", "qwen2", "qwen3"];

/** What the header says of a model that shall have a context of so many tokens. Errors:
 *  invalid_model_file, naming what is not supported; model_too_large, with the arithmetic. */
export function checkDecoder({ metadata }: GgufHeader, _context: number): { architecture: string } {
  const architecture = stringOf(metadata, "general.architecture");
  if (!ARCHITECTURES.includes(architecture))
    throw invalidModel(
      `general.architecture is ${architecture}; the generator runs ${ARCHITECTURES.join(", ")}`,
    );
  return { architecture };
}
