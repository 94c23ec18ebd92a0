/** What a request demands of the engine that answers it. */
import type { ChatMessage } from "../engine/engine.ts";
import { ServiceError } from "../errors.ts";
import type { AnswerRequest } from "./types.ts";

export interface Demands {
  /** What only a backend can honour, in words, or null. */
  backendOnly: string | null;
  /** What needs an answer that is written, which generators and backends do, or null. */
  writtenOnly: string | null;
  /** Of that, what Brink cannot have of a backend: the parameter's name, or null. */
  generatorOnly: string | null;
}

/** Extraction has nothing for sampling parameters to act on, so those demand nothing. */
export function findDemands({ messages, parameters }: AnswerRequest): Demands {
  const { n, logprobs, logit_bias, response_format } = parameters;
  const format = (response_format as { type?: unknown } | undefined)?.type ?? "text";
  const generatorOnly = typeof n === "number" && n > 1 ? "n" : null;
  const written =
    generatorOnly ??
    (logprobs === true ? "logprobs" : null) ??
    (format === "text" ? null : `response_format ${String(format)}`) ??
    (Object.keys(logit_bias ?? {}).length === 0 ? null : "logit_bias");
  return {
    backendOnly: findBackendOnly(messages, parameters),
    writtenOnly: written,
    generatorOnly,
  };
}

function findBackendOnly(
  messages: readonly ChatMessage[],
  { tools, web_search_options }: Record<string, unknown>,
): string | null {
  if (Array.isArray(tools) && tools.length > 0) return "tools";
  if (web_search_options != null) return "web_search_options";
  const parts = messages.flatMap(({ content }) => (Array.isArray(content) ? content : []));
  const other = parts.find((part) => part.type !== "text");
  return other === undefined ? null : `a content part of type ${other.type}`;
}

/** What can be asked. `generator` is the one that a request gets which names no model of its. */
export interface Available {
  generator: boolean;
  backend: boolean;
}

/** Throws `unsupported_parameter` where no engine that `model` allows can do what is demanded, and
 *  `backend_not_configured` for a backend by name where there is none. */
export function refuseTheImpossible(
  model: "auto" | "edge" | "backend" | "generator",
  demands: Demands,
  available: Available,
): void {
  const { backendOnly, writtenOnly, generatorOnly } = demands;
  if (model === "backend" && !available.backend)
    throw new ServiceError(
      "backend_not_configured",
      "no backend is configured: set BACKEND_URL, BACKEND_KEY and BACKEND_MODEL, or BACKENDS",
      { param: "model" },
    );
  const backend = available.backend && (model === "auto" || model === "backend");
  const generator = model === "generator" || (available.generator && model !== "backend");
  if (backendOnly !== null && !backend)
    throw refusal(backendOnly, "a backend", available.backend, paramOf(backendOnly));
  if (generatorOnly !== null && (backendOnly !== null || !generator))
    throw refusal(generatorOnly, "a generator", available.generator, generatorOnly);
  if (writtenOnly !== null && !generator && !backend) {
    const there = available.backend || available.generator;
    throw refusal(writtenOnly, "a generator or a backend", there, paramOf(writtenOnly));
  }
}

/** The field of the request that a demand in words is of. */
function paramOf(demand: string): string {
  return demand.startsWith("a content part") ? "messages" : demand.split(" ")[0]!;
}

function refusal(what: string, engine: string, there: boolean, param: string): ServiceError {
  const lack = there ? "which this request did not leave open" : "and none is configured";
  return new ServiceError("unsupported_parameter", `${what} needs ${engine}, ${lack}`, { param });
}
