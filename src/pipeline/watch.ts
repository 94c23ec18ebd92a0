/** Who is told of a finished request: the tenant's memory of requests and its counters, a
 *  collector of OpenTelemetry, Workers Analytics Engine and the log. */
import type { Env } from "../env.ts";
import type { WatchingConfig } from "../env-watching.ts";
import { logEvent } from "../log-event.ts";
import { dataPointOf } from "./data-point.ts";
import { tellGrowth } from "./metric-families.ts";
import { objectsOf } from "./objects.ts";
import { exportTraces } from "./otlp-export.ts";
import { isFailed, logRequest } from "./request-log.ts";
import type { Trace } from "./trace.ts";
import { type TenantTrace, traceLog } from "./trace-log.ts";
import { recordOf } from "./trace-record.ts";

/** To be called once of a trace, when it has ended. Sends nothing before its request's reply is
 *  made, and never throws. */
export type Watch = (trace: Trace) => void;

export function newWatch(
  env: Env,
  config: WatchingConfig,
  keepAlive: (work: Promise<unknown>) => void,
): Watch {
  const { traces } = objectsOf(env);
  const tell = (trace: Trace) => {
    logRequest(trace, config);
    const { caller } = trace;
    if (caller === null) return; // nobody's: no tenant may see it
    const { tenant } = caller;
    const record = recordOf(trace, { texts: config.traceText });
    env.ANALYTICS?.writeDataPoint(dataPointOf(tenant, record));
    const failed = isFailed(trace);
    const remembered = failed || !isReading(trace);
    const kept = remembered && (failed || trace.sampled);
    const exported = remembered && (failed || trace.exported);
    const { otlp } = config;
    const exporter =
      otlp === null ? null : (records: readonly TenantTrace[]) => exportTraces(otlp, records);
    traceLog.note(
      {
        tenant,
        record,
        kept,
        exported,
        tellGrowth: (grow) => tellGrowth(record, record.spans, grow),
      },
      { ring: traces, exporter, keepAlive },
    );
  };
  return (trace) => {
    try {
      tell(trace);
    } catch (error) {
      logEvent("request not told of", String(error));
    }
  };
}

/** Lists and figures, which scrapers and consoles ask for all the time, are counted and no more. */
function isReading({ endpoint }: Trace): boolean {
  return endpoint === null || endpoint.startsWith("GET ") || endpoint.startsWith("HEAD ");
}
