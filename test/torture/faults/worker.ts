/** The Worker as it is, of which each request says what fails: its header `x-faults` has, as JSON,
 *  variables of the Worker and the bindings that fail. What the memory's own objects meet is said
 *  for all of them by `POST /faults`; locally they and the Worker share an isolate. */
import worker, {
  CacheObject,
  LedgerObject,
  MemoryObject as Memory,
  QuotaObject,
  ReplayObject,
  RouterObject,
  TraceObject,
  UsageObject,
} from "../../../src/worker.ts";
import { BINDINGS, type Faults, faulty } from "./faulty.ts";

/** What the header says. */
export interface Plan {
  variables?: Record<string, string>;
  faults?: Faults;
}

type Bindings = Record<string, unknown>;

let ofObjects: Faults = {};

function withFaults(env: Bindings, faults: () => Faults): Bindings {
  const named = BINDINGS.filter((name) => env[name] !== undefined);
  const bindings = named.map((name) => [name, faulty(env[name] as object, () => faults()[name])]);
  return { ...env, ...Object.fromEntries(bindings) };
}

export class MemoryObject extends Memory {
  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, withFaults(env, () => ofObjects) as never);
  }
}

export {
  CacheObject,
  LedgerObject,
  QuotaObject,
  ReplayObject,
  RouterObject,
  TraceObject,
  UsageObject,
};

export default {
  async fetch(request, env, context) {
    if (new URL(request.url).pathname === "/faults") {
      ofObjects = (await request.json()) as Faults;
      return new Response("{}");
    }
    const { variables, faults = {} } = JSON.parse(request.headers.get("x-faults") ?? "{}") as Plan;
    const bindings = withFaults(env as Bindings, () => faults);
    return worker.fetch(request, { ...bindings, ...variables } as never, context);
  },
} satisfies ExportedHandler;
