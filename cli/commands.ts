/** The table of commands: what is called, helped with and completed. */
import { ask } from "./ask.ts";
import { cacheClear, cacheSet, cacheShow } from "./cache.ts";
import type { Command } from "./command.ts";
import { completionCommand } from "./completion.ts";
import { deploy } from "./deploy.ts";
import { dev } from "./dev.ts";
import { doctor } from "./doctor.ts";
import { documentsList, documentsRemove, documentsShow } from "./documents.ts";
import { exportCommand } from "./export.ts";
import { helpCommand } from "./help.ts";
import { ingest } from "./ingest.ts";
import { init } from "./init.ts";
import { keysCreate, keysLimits, keysList, keysRevoke, keysRotate, keysUsage } from "./keys.ts";
import { modelsList, modelsRemove } from "./models.ts";
import { modelsAdd } from "./models-add.ts";
import {
  namespacesCreate,
  namespacesDelete,
  namespacesList,
  namespacesStats,
} from "./namespaces.ts";
import {
  namespacesCancel,
  namespacesCompact,
  namespacesJobs,
  namespacesSplit,
} from "./namespaces-work.ts";
import { notesApprove, notesList, notesPolicy, notesRemove } from "./notes.ts";
import { routerCalibrate } from "./router-calibrate.ts";
import { routerReport } from "./router-report.ts";
import { routerForget, routerSet } from "./router-set.ts";
import { routerRollback, routerStatus } from "./router-status.ts";
import { routerActivate, routerTrain } from "./router-train.ts";
import { search } from "./search.ts";
import { snapshot } from "./snapshot.ts";
import { tracesList, tracesShow } from "./traces.ts";

/** In the order in which help shows them. */
export const COMMANDS: Command[] = [
  init,
  dev,
  deploy,
  doctor,
  ingest,
  search,
  ask,
  exportCommand,
  snapshot,
  namespacesList,
  namespacesCreate,
  namespacesStats,
  namespacesJobs,
  namespacesCompact,
  namespacesSplit,
  namespacesCancel,
  namespacesDelete,
  documentsList,
  documentsShow,
  documentsRemove,
  notesList,
  notesApprove,
  notesRemove,
  notesPolicy,
  cacheShow,
  cacheSet,
  cacheClear,
  keysCreate,
  keysList,
  keysLimits,
  keysUsage,
  keysRotate,
  keysRevoke,
  modelsAdd,
  modelsList,
  modelsRemove,
  routerStatus,
  routerSet,
  routerTrain,
  routerActivate,
  routerCalibrate,
  routerReport,
  routerRollback,
  routerForget,
  tracesList,
  tracesShow,
  completionCommand(() => COMMANDS),
  helpCommand(() => COMMANDS),
];
