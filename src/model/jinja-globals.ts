/** What chat templates find defined, as in the Python package `transformers`. */
import { ServiceError } from "../errors.ts";
import { TEMPLATE_ITEMS_MAX } from "../limits.ts";
import { invalidModel } from "./gguf.ts";

/** An invalid_request: a template that a person's messages took to a bound. */
export function tooMuch(what: string): ServiceError {
  return new ServiceError("invalid_request", `the model's chat template ${what}`);
}

/** By name: the functions close over `now`. */
export function jinjaGlobals(now: Date): Record<string, unknown> {
  return {
    true: true,
    True: true,
    false: false,
    False: false,
    none: null,
    None: null,
    raise_exception: (message: unknown) => {
      throw tooMuch(`refuses the messages: ${String(message).slice(0, 200)}`);
    },
    range: (...bounds: number[]) => range(bounds),
    strftime_now: (format: unknown) => strftime(now, String(format)),
  };
}

/** Python's range. */
function range(bounds: readonly number[]): number[] {
  const [start, stop, step] =
    bounds.length === 1 ? [0, bounds[0]!, 1] : [bounds[0] ?? 0, bounds[1] ?? 0, bounds[2] ?? 1];
  const n = Math.max(0, Math.ceil((stop - start) / step));
  if (!(n <= TEMPLATE_ITEMS_MAX))
    throw tooMuch(`makes a range of ${n} numbers, the limit is ${TEMPLATE_ITEMS_MAX}`);
  return Array.from({ length: n }, (_, i) => start + i * step);
}

/** Python's strftime of a time in UTC and in English. */
function strftime(now: Date, format: string): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const name = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat("en-US", { ...options, timeZone: "UTC" }).format(now);
  return format.replace(/%-?[a-zA-Z%]/g, (directive) => {
    switch (directive) {
      case "%Y":
        return String(now.getUTCFullYear());
      case "%y":
        return two(now.getUTCFullYear() % 100);
      case "%m":
        return two(now.getUTCMonth() + 1);
      case "%d":
        return two(now.getUTCDate());
      case "%-d":
        return String(now.getUTCDate());
      case "%H":
        return two(now.getUTCHours());
      case "%M":
        return two(now.getUTCMinutes());
      case "%S":
        return two(now.getUTCSeconds());
      case "%b":
        return name({ month: "short" });
      case "%B":
        return name({ month: "long" });
      case "%a":
        return name({ weekday: "short" });
      case "%A":
        return name({ weekday: "long" });
      case "%%":
        return "%";
      default:
        throw invalidModel(`the chat template asks for the date as ${directive}`);
    }
  });
}
