/** `npx brink`: the command line for operators. */
import {
  type Command,
  CommandError,
  describeCommand,
  parseCommand,
  UsageError,
} from "./command.ts";
import { exportCommand } from "./export.ts";
import { ingest } from "./ingest.ts";
import { keysCreate, keysLimits, keysList, keysRevoke, keysRotate, keysUsage } from "./keys.ts";
import { modelsList, modelsRemove } from "./models.ts";
import { modelsAdd } from "./models-add.ts";
import {
  namespacesCreate,
  namespacesDelete,
  namespacesList,
  namespacesStats,
} from "./namespaces.ts";
import { notesApprove, notesList, notesRemove } from "./notes.ts";
import { routerCalibrate } from "./router-calibrate.ts";
import { routerReport } from "./router-report.ts";
import { routerRollback, routerStatus } from "./router-status.ts";
import { routerActivate, routerTrain } from "./router-train.ts";
import { search } from "./search.ts";
import { snapshot } from "./snapshot.ts";

const COMMANDS: Command[] = [
  ingest,
  search,
  exportCommand,
  snapshot,
  namespacesList,
  namespacesCreate,
  namespacesStats,
  namespacesDelete,
  notesList,
  notesApprove,
  notesRemove,
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
  routerTrain,
  routerActivate,
  routerCalibrate,
  routerReport,
  routerRollback,
];

function overview(): string {
  const names = COMMANDS.map(({ name, args }) => `${name} ${args}`.trimEnd());
  const width = Math.max(...names.map(({ length }) => length));
  const lines = COMMANDS.map(({ summary }, i) => `  ${names[i]!.padEnd(width)}  ${summary}`);
  return `usage: npx brink COMMAND [OPTIONS]\n\n${lines.join("\n")}\n
  help [COMMAND]${" ".repeat(Math.max(2, width - 12))}print this, or a command's options`;
}

/** The command that the first words name, and the words after its name. */
function find(words: string[]): { command: Command | undefined; rest: string[] } {
  const command = COMMANDS.find(({ name }) => {
    const parts = name.split(" ");
    return parts.every((part, i) => words[i] === part);
  });
  return { command, rest: command ? words.slice(command.name.split(" ").length) : words };
}

async function main(words: string[]): Promise<number> {
  if (words[0] === undefined || words[0] === "--help" || words[0] === "help") {
    const { command } = find(words.slice(1));
    console.log(command ? describeCommand(command) : overview());
    return 0;
  }
  const { command, rest } = find(words);
  if (command === undefined) {
    console.error(`there is no command ${JSON.stringify(words.slice(0, 2).join(" "))}`);
    console.error(overview());
    return 2;
  }
  try {
    const { values, positionals } = parseCommand(command, rest);
    if (values.help) {
      console.log(describeCommand(command));
      return 0;
    }
    const result = await command.run(positionals, values);
    if (values.json) console.log(JSON.stringify(result, null, 2));
    return command.failed?.(result) ? 1 : 0;
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message}\nnpx brink ${command.name} --help says more`);
      return 2;
    }
    const known = error instanceof CommandError || (error as Error).name === "ServiceError";
    console.error(known ? (error as Error).message : error);
    return 1;
  }
}

process.exitCode = await main(process.argv.slice(2));
