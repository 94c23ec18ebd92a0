/** Bounds of what is watched: traces, metrics, exports and logs, and their reasons. */

// A tenant's traces, in an object of its own: a trace has 3 KB as a rule, so the number bounds them
// before the bytes do. A week is how long it takes to hear of a slow answer and to look.
export const TRACES_KEPT_MAX = 5_000;
export const TRACES_BYTES_MAX = 32 * 1024 * 1024;
export const TRACE_KEPT_MS_MAX = 7 * 24 * 60 * 60 * 1000;
export const TRACE_BYTES_MAX = 64 * 1024;
export const TRACES_PAGE_MAX = 200;
export const TRACES_PAGE_DEFAULT = 50;
// Spans of one request: six attempts, three rounds of retrieval and the stages are under thirty.
export const TRACE_SPANS_MAX = 64;
// Passages that a trace names: as many as a prompt's evidence holds, and a few more.
export const TRACE_PASSAGES_MAX = 20;
// A span's attribute, or a fact of the request: names and codes; a URL's path is the longest.
export const TRACE_ATTRIBUTE_CHARS_MAX = 256;
// Of a text that is kept: enough to see what was asked, and some 24 KB in JSON at worst.
export const TRACE_TEXT_CHARS_MAX = 2_000;

// An isolate's traces go to their objects together: one call a tenant for a second's requests, in
// the time of the first of them. A batch goes at once: it is as large as an OUTCOMES_BATCH, for the
// same reason. So many of a tenant wait while its object has a call under way, and as many for the
// collector.
export const TRACE_FLUSH_MS = 1_000;
export const TRACES_BATCH = 20;
export const TRACES_PENDING_MAX = 200;
// Of all tenants, those under way included: 3 MB as a rule, while several objects hang.
export const TRACES_HELD_MAX = 1_000;
// A call of a log, of traces, outcomes or usage. Objects and collectors answer within milliseconds.
// One that takes longer is given up: the request in whose time it ran may be gone, and then it
// never ends. An export has twice OTLP_MS_MAX and a pause.
export const FLUSH_MS_MAX = 15_000;
// Tenants that one isolate has counts of which were not taken yet.
export const TRACE_TENANTS_MAX = 1_000;

// Time series of a tenant: endpoints x routes x statuses in use are some hundred, and a histogram
// has 14. What is beyond is counted as dropped. One row of SQLite, below its 2 MB.
export const SERIES_MAX = 4_000;
export const SERIES_KEY_CHARS_MAX = 400;
// Namespaces whose sizes one scrape asks for, one call each.
export const METRIC_NAMESPACES_MAX = 100;
// How long a scrape waits for one part of its figures: scrapers give up after ten seconds.
export const METRICS_MS_MAX = 3_000;

// The collector of OpenTelemetry: one export may take this long, and is tried once more where it
// says that it may; the wait for that is bounded too. A reply is a few bytes.
export const OTLP_MS_MAX = 5_000;
export const OTLP_RETRY_MS = 500;
export const OTLP_RETRY_MS_MAX = 2_000;
export const OTLP_REPLY_BYTES_MAX = 16 * 1024;
// Configured headers: an authorization and a data set's name.
export const OTLP_HEADERS_MAX = 16;
export const OTLP_HEADERS_CHARS_MAX = 4_096;
export const OTLP_SERVICE_CHARS_MAX = 100;

// Workers Analytics Engine takes so much a data point (its documentation, 2026).
export const DATA_POINT_INDEX_BYTES_MAX = 96;
export const DATA_POINT_BLOBS_BYTES_MAX = 16 * 1024;

// A line of the log: a platform cuts longer ones, and one that is cut is no JSON.
export const LOG_DETAIL_CHARS_MAX = 4_000;
