/** The bounds of the command line and their reasons; those of the service are in src/limits.ts. */

// A part of a job is as much as the service stores in one or two batches, so that
// a break costs little; a line above its bound would be refused by the service. A file of one
// document may be larger than its text, which has a bound of its own; a JSON array is parsed whole.
export const CLI_PART_BYTES = 2 * 1024 * 1024;
export const CLI_PART_LINES_MAX = 1_000;
export const CLI_FILE_BYTES_MAX = 16 * 1024 * 1024;
export const CLI_JSON_BYTES_MAX = 256 * 1024 * 1024;
// Folders: what a documentation or a wiki has, many times over; a loop of mounts ends here too.
export const CLI_FILES_MAX = 200_000;
export const CLI_FOLDER_DEPTH_MAX = 32;
// A call that fails for what may pass is repeated: after .5, 1, 2, 4 and 8 s, or when the service
// says, within a minute.
export const CLI_ATTEMPTS_MAX = 6;
export const CLI_RETRY_MS = 500;
export const CLI_RETRY_MS_MAX = 60_000;
// A call is given up where nothing comes for so long. Most are answered within a second; an answer
// waits for a backend or a generator, an index is made anew, and megabytes take a slow line their
// time. Node's own client gives up after 300 s whatever is asked of it.
export const CLI_CALL_S = 120;
export const CLI_LONG_CALL_S = 300;
export const CLI_SILENCE_S_MAX = 300;
// Pages of a web site: one at a time, with a pause between two that its robots.txt may lengthen.
export const CLI_PAGES_DEFAULT = 100;
export const CLI_PAGES_MAX = 10_000;
export const CLI_DEPTH_MAX = 16;
export const CLI_PAGE_MS_MAX = 30_000;
export const CLI_PAGE_PAUSE_MS = 250;
export const CLI_PAGE_PAUSE_MS_MAX = 10_000;
export const CLI_ROBOTS_BYTES_MAX = 512 * 1024;
// What is fetched from others is given up where nothing comes for so long.
export const CLI_IDLE_MS_MAX = 60_000;
// What is moved is found after one or two; RFC 9309 (2.3.1.2) wants five followed for robots.txt.
export const CLI_REDIRECTS_MAX = 5;
// How often a snapshot's or a restore's progress is asked for.
export const CLI_POLL_MS = 1_000;
// Labelled questions: 20,000 are an hour of asking at 5 a second, and a resampling of them takes
// milliseconds. A record is a question with its answers, so this is generous; the service takes a
// message of twice as much. Faults beyond the first few are counted only.
export const CLI_LABELS_MAX = 20_000;
export const CLI_LABEL_CHARS_MAX = 200_000;
export const CLI_LABEL_FAULTS_SHOWN = 20;
// Of the service's recorded outcomes: pages of as many, and pages at most, so that a service that
// always names a next page does not hold the command for ever.
export const CLI_OUTCOMES_PAGE = 100;
export const CLI_OUTCOME_PAGES_MAX = 1_000;
// Questions in flight: a service of many isolates answers them side by side.
export const CLI_ASK_DEFAULT = 4;
export const CLI_ASK_MAX = 32;
// Weights of some twenty features: with fewer answers, or fewer of the rarer label, held-out
// figures are noise. With fewer groups than these, folds would be single documents.
export const CLI_TRAIN_ANSWERS_MIN = 200;
export const CLI_TRAIN_LABELS_MIN = 30;
export const CLI_TRAIN_GROUPS_MIN = 10;
// Of keys, as the service bounds them: two weeks of grace, a quarter of recorded use.
export const CLI_ROTATE_GRACE_S_MAX = 14 * 24 * 60 * 60;
export const CLI_USAGE_DAYS = 30;
export const CLI_USAGE_DAYS_MAX = 92;
// Of a streamed answer: an event is some words, the last one a report with its citations.
export const CLI_EVENT_CHARS_MAX = 4 * 1024 * 1024;
// Looking at a service: each call is small, and one that does not answer is what is looked for.
export const CLI_DOCTOR_S = 10;
export const CLI_CLOCK_OFF_S_MAX = 60;
export const CLI_DOCTOR_NAMESPACES_MAX = 20;
// Of traces and documents, as the service bounds a page.
export const CLI_TRACES_PAGE = 20;
export const CLI_TRACES_PAGE_MAX = 200;
export const CLI_DOCUMENTS_PAGE = 100;
export const CLI_DOCUMENTS_PAGE_MAX = 1_000;
