/** The generator: a decoder in a Worker of its own, behind a service binding. */
import { codeOf, ServiceError } from "../errors.ts";
import { GENERATOR_LINE_CHARS_MAX } from "../limits.ts";
import type { Engine, EnginePiece, EngineRequest } from "./engine.ts";
import { readParameters } from "./generator-parameters.ts";
import type {
  GenerateCall,
  GenerateLine,
  GeneratorFailure,
  GeneratorStatus,
} from "./generator-protocol.ts";

/** One of the generator's models. */
export class GeneratorEngine implements Engine {
  readonly kind = "generator";
  readonly id: string;
  readonly model: string;
  readonly #binding: Fetcher;
  readonly #context: number;

  /** `context` is the number of tokens that prompt and answer may have together. */
  constructor(binding: Fetcher, model: string, context: number) {
    this.id = `generator:${model}`;
    this.model = model;
    this.#binding = binding;
    this.#context = context;
  }

  /** Throws before the first piece `model_not_found`, `model_too_large`, `invalid_model_file`,
   *  `invalid_request` (a prompt longer than the context, a schema that cannot be followed),
   *  `generator_busy`; `generator_unavailable` at any time. */
  async *answer(request: EngineRequest): AsyncGenerator<EnginePiece> {
    const call: GenerateCall = {
      model: this.model,
      context: this.#context,
      scope: request.scope,
      messages: request.messages,
      hits: request.hits.map(({ title, text }) => ({ title, text })),
      parameters: readParameters(request.parameters),
    };
    let finished = false;
    for await (const line of ask(this.#binding, call, request.signal)) {
      if ("error" in line) throw failureOf(line.error);
      finished ||= line.usage !== undefined;
      yield line;
    }
    if (!finished) throw unavailable("its answer ended before the last piece");
  }
}

/** What the generator's isolate holds; null where it does not answer. */
export async function readGeneratorStatus(binding: Fetcher): Promise<GeneratorStatus | null> {
  const response = await binding.fetch("https://generator.invalid/status");
  return response.ok ? ((await response.json()) as GeneratorStatus) : null;
}

async function* ask(
  binding: Fetcher,
  call: GenerateCall,
  signal: AbortSignal,
): AsyncGenerator<GenerateLine> {
  let response: Response;
  try {
    response = await binding.fetch("https://generator.invalid/generate", {
      method: "POST",
      body: JSON.stringify(call),
      signal,
    });
  } catch (cause) {
    signal.throwIfAborted();
    throw unavailable("it cannot be reached", cause);
  }
  if (!response.ok) throw await readFailure(response);
  try {
    for await (const line of lines(response.body!)) yield JSON.parse(line) as GenerateLine;
  } catch (cause) {
    signal.throwIfAborted();
    if (codeOf(cause) !== null) throw cause;
    throw unavailable("its answer broke off", cause);
  }
}

/** A refusal as the generator worded it, or that there is something else behind the binding. */
async function readFailure(response: Response): Promise<ServiceError> {
  const text = await response.text().catch(() => "");
  try {
    return failureOf((JSON.parse(text) as { error: GeneratorFailure }).error);
  } catch {
    return unavailable(`it answered ${response.status}`);
  }
}

function failureOf({ code, message, param }: GeneratorFailure): ServiceError {
  if (codeOf({ code }) === null) throw new Error(`unknown code ${code}`);
  return new ServiceError(code, message, param === null ? {} : { param });
}

function unavailable(fact: string, cause?: unknown): ServiceError {
  return new ServiceError("generator_unavailable", `the generator failed: ${fact}`, { cause });
}

/** Lines of UTF-8, without their ends. Ends the stream when its reader leaves early. */
async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let open = "";
  for await (const bytes of stream) {
    const parts = (open + decoder.decode(bytes, { stream: true })).split("\n");
    open = parts.pop()!;
    if (open.length > GENERATOR_LINE_CHARS_MAX)
      throw unavailable(`a line is longer than ${GENERATOR_LINE_CHARS_MAX} characters`);
    yield* parts;
  }
  if (open !== "") yield open;
}
