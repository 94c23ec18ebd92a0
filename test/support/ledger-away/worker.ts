/** The Worker as it is, with objects of keys and limits that stop answering when a test says so: by
 *  `GET /away?how=throw`, `hang`, or `no` for as they were; `choice` sets LEDGER_UNREACHABLE.
 *  Locally the objects and the Worker share an isolate. */
import worker, {
  LedgerObject as Ledger,
  MemoryObject,
  QuotaObject as Quota,
  RouterObject,
  TraceObject,
  UsageObject,
} from "../../../src/worker.ts";

let how = "no";
let LEDGER_UNREACHABLE = "deny";

/** What the call gives, once the object answers; to a caller over RPC a promise is the same. */
function whenBack<T>(call: () => T): T {
  const answer = async () => {
    if (how === "throw") throw new Error("Network connection lost.");
    if (how === "hang") await new Promise((done) => setTimeout(done, 20_000));
    return call();
  };
  return answer() as T;
}

export class LedgerObject extends Ledger {
  override findKey(...args: Parameters<Ledger["findKey"]>) {
    return whenBack(() => super.findKey(...args));
  }
}

export class QuotaObject extends Quota {
  override admit(...args: Parameters<Quota["admit"]>) {
    return whenBack(() => super.admit(...args));
  }

  override reserve(...args: Parameters<Quota["reserve"]>) {
    return whenBack(() => super.reserve(...args));
  }
}

export { MemoryObject, RouterObject, TraceObject, UsageObject };

export default {
  fetch(request, env, context) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== "/away")
      return worker.fetch(request, { ...(env as object), LEDGER_UNREACHABLE }, context);
    how = searchParams.get("how") ?? how;
    LEDGER_UNREACHABLE = searchParams.get("choice") ?? LEDGER_UNREACHABLE;
    return new Response("{}");
  },
} satisfies ExportedHandler;
