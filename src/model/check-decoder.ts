/** Whether a GGUF file is a decoder that the generator can load, judged by its header alone. */
import { DECODER_BYTES_MAX, DECODER_RUNTIME_BYTES } from "../limits.ts";
import { ChatTemplate } from "./chat-template.ts";
import { planDecoder } from "./decoder.ts";
import type { GgufHeader } from "./gguf.ts";
import { loadTokenizer } from "./tokenizer.ts";

/** Linear memory of the generator: what the isolate may hold less its runtime. */
export const GENERATOR_LINEAR_BYTES_MAX = DECODER_BYTES_MAX - DECODER_RUNTIME_BYTES;

/** What the header says of a model that shall have a context of so many tokens. Errors:
 *  invalid_model_file, naming what is not supported; model_too_large, with the arithmetic. */
export function checkDecoder(header: GgufHeader, context: number): { architecture: string } {
  const memory = { usedBytes: 0, linearMax: GENERATOR_LINEAR_BYTES_MAX };
  const { config } = planDecoder(header, memory, { context });
  const tokenizer = loadTokenizer(header.metadata);
  ChatTemplate.from(header.metadata, tokenizer);
  return { architecture: config.architecture };
}
