/** Bounds of what the router remembers and learns from, and their reasons. */

// What is remembered of recent answers, each tenant's in an object of its own: a week of a small
// site or an afternoon of a busy one. An outcome has 2 KB as a rule; cut to its parts' bounds it
// has 100 KB at most. A month is how long a complaint takes to come, and no longer than needed.
export const OUTCOMES_KEPT_MAX = 2_000;
export const OUTCOMES_BYTES_MAX = 16 * 1024 * 1024;
export const OUTCOME_KEPT_MS_MAX = 30 * 24 * 60 * 60 * 1000;
export const OUTCOME_BYTES_MAX = 128 * 1024;
export const OUTCOMES_PAGE_MAX = 200;
// A page's bytes: 200 outcomes of 128 KB would be 25 of the 32 MB that one RPC takes.
export const OUTCOMES_PAGE_BYTES_MAX = 4 * 1024 * 1024;
// Labels hold no text, some 100 bytes each. As many of each kind as a calibration set takes.
export const LABELS_KEPT_MAX = 20_000;

// Weights with their calibration set are 500 KB at most, so these are 10 MB.
export const ROUTER_VERSIONS_MAX = 20;
export const ROUTER_NOTE_CHARS_MAX = 500;
export const WEIGHTS_VERSION_CHARS_MAX = 100;
// Floors of the stage before reading: as many as fitFloors() makes.
export const ROUTER_FLOORS_MAX = 401;

// Labels before the service calibrates by itself: at a risk of 0.1 and confidence 0.95, 500 that
// stay settle the share of wrong answers to 2.3 percentage points. Then with each 250 more.
export const AUTO_CALIBRATION_LABELS_MIN = 500;
export const AUTO_CALIBRATION_LABELS_STEP = 250;

// Labels of each engine between reader and backend: at a risk of 0.1, 500 that it keeps settle the
// share of wrong answers to 2.6 percentage points and 2,000 to half of that. Its threshold is
// chosen anew with each 50: none is supported by fewer than 29, all right. Each set is 30 KB in
// what an isolate is told; nobody has more engines than these.
export const ENGINE_LABELS_KEPT_MAX = 2_000;
export const ENGINE_LABELS_STEP = 50;
export const ENGINES_LABELLED_MAX = 8;

// Edge answers that an isolate has sent to the backend for comparison and that are not back: each
// holds a prompt and a connection, of which a request may have six.
export const SHADOWS_UNDER_WAY_MAX = 4;
export const SHADOW_MS_MAX = 25_000;

// Questions of one test of the difficulties' distribution: a step of a tenth shows with them.
export const DRIFT_WINDOW = 500;
// Steps at which distributions are compared; as fine as a threshold's choice needs.
export const DRIFT_BINS = 50;
// The chance of any false alarm of one test, over all the time that a calibration is in use.
export const DRIFT_ALARM_PROBABILITY = 0.01;
// Of the sequential test of risk: how many labels apart it starts anew, and how many starts it
// keeps: a start is 3 numbers, and one that grew old without a finding has little left to tell.
export const DRIFT_START_EVERY = 50;
export const DRIFT_STARTS_MAX = 40;

// How long an isolate may go on with a target or a version that was changed through another, and
// how many tenants' it remembers, some 5 KB each; a forgotten one costs one call of its object.
export const ROUTER_CACHE_MS_MAX = 30_000;
export const ROUTER_CACHE_ENTRIES_MAX = 1_000;
// How long an answer waits for what it is routed by, which comes within milliseconds, and for how
// long an object that did not answer is not asked again: an answer in so many seconds waits.
export const ROUTER_MS_MAX = 1_000;
export const ROUTER_AWAY_MS = 5_000;

// An isolate's outcomes go to their routers together: one write a second, and not one an answer. So
// many of a few KB each are one call of 1 to 2 ms, which whatever shares its thread can wait for;
// of a hundred it was 6 to 16.
export const OUTCOME_FLUSH_MS = 1_000;
export const OUTCOMES_BATCH = 20;
// What waits for a router that is slow or did not take it, of a tenant and in all: little beside
// the isolate's memory.
export const OUTCOMES_PENDING_MAX = 100;
export const OUTCOMES_WAITING_MAX = 400;
// Feedback that comes at once may have to wait for that, where another isolate gave the answer.
export const FEEDBACK_LOOKS_MAX = 9;
export const FEEDBACK_LOOK_PAUSE_MS = 150;
