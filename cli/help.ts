/** What `brink help` says, and which command some words name: all from the table of commands. */
import { type Command, optionsOf, UsageError } from "./command.ts";
import { nearest } from "./nearest.ts";

/** The command. `commands` gives the table, which this command is itself in. */
export function helpCommand(commands: () => readonly Command[]): Command {
  return {
    name: "help",
    args: "[COMMAND]",
    summary: "Print the commands, a group's, or a command's options.",
    description: "COMMAND is one, as keys create, or a group's first word, as keys.",
    options: {},
    async run(words, values) {
      const { command } = findCommand(commands(), words);
      const named = command === undefined ? groupOf(commands(), words[0]) : [command];
      if (words.length > 0 && (named.length === 0 || (command === undefined && words.length > 1)))
        throw refuseUnknown(commands(), words);
      const shown = words.length === 0 ? commands() : named;
      if (!values.json) console.log(command ? describeCommand(command) : describeAll(shown));
      return listCommands(shown);
    },
  };
}

/** What the words of a command line ask for where they are a wish for help, spelt with `help`:
 *  none at all, or --help alone or after a group's word; others as they are. */
export function spellHelp(commands: readonly Command[], words: string[]): string[] {
  const wishes = words.includes("--help") || words.includes("-h");
  const [first, second] = words;
  const rest = words.filter((word) => word !== "--help" && word !== "-h");
  if (first === undefined || (wishes && first.startsWith("-"))) return ["help", ...rest];
  const { command } = findCommand(commands, words);
  const ofGroup = command === undefined && groupOf(commands, first).length > 0;
  return ofGroup && wishes && second!.startsWith("-") ? ["help", ...rest] : words;
}

/** The command that the first words name, and the words after its name. */
export function findCommand(
  commands: readonly Command[],
  words: string[],
): { command: Command | undefined; rest: string[] } {
  const command = commands.find(({ name }) =>
    name.split(" ").every((part, i) => words[i] === part),
  );
  return { command, rest: command ? words.slice(command.name.split(" ").length) : words };
}

/** Those whose name begins with this word and goes on. */
function groupOf(commands: readonly Command[], word: string | undefined): Command[] {
  return commands.filter(({ name }) => name.startsWith(`${word} `));
}

/** Why no command is named, and what may have been meant. */
export function refuseUnknown(commands: readonly Command[], words: string[]): UsageError {
  const [first = "", second] = words;
  const group = groupOf(commands, first);
  if (group.length > 0) {
    const verbs = group.map(({ name }) => name.slice(first.length + 1));
    if (second === undefined || second.startsWith("-"))
      return new UsageError(`what of ${first}? It is one of ${verbs.join(", ")}`);
    const near = nearest(second, verbs);
    const meant = near ? `: did you mean ${first} ${near}?` : `: it has ${verbs.join(", ")}`;
    return new UsageError(`there is no command ${JSON.stringify(`${first} ${second}`)}${meant}`);
  }
  const near = nearest(first, [...new Set(commands.map(({ name }) => name.split(" ")[0]!))]);
  const meant = near ? `: did you mean ${near}?` : "";
  return new UsageError(`there is no command ${JSON.stringify(first)}${meant}`);
}

/** The commands, each with its summary. */
export function describeAll(commands: readonly Command[]): string {
  const names = commands.map(({ name, args }) => `${name} ${args}`.trimEnd());
  const width = Math.max(...names.map(({ length }) => length));
  const lines = commands.map(({ summary }, i) => `  ${names[i]!.padEnd(width)}  ${summary}`);
  return `usage: npx brink COMMAND [OPTIONS]\n\n${lines.join("\n")}
  ${"--version".padEnd(width)}  Print the version.

It exits with 0 when all is done, 1 when something failed and 2 when it was called wrongly. With
--json it prints one JSON document: the result, or {"error": {"message", "code", "remedy"}}.`;
}

/** A command's own help. */
export function describeCommand(command: Command): string {
  const options = Object.entries(optionsOf(command));
  const flags = options.map(
    ([name, { value, short }]) =>
      `${short ? `-${short}, ` : ""}--${name}${value ? ` ${value}` : ""}`,
  );
  const width = Math.max(...flags.map(({ length }) => length));
  const lines = options.map(([, { help }], i) => `  ${flags[i]!.padEnd(width)}  ${help}`);
  const head = `usage: npx brink ${command.name} ${command.args}`.trimEnd();
  const about = [command.summary, command.description ?? ""].join("\n").trimEnd();
  return `${head}\n\n${about}\n\n${lines.join("\n")}`;
}

/** The table itself, for programs. */
function listCommands(commands: readonly Command[]): object {
  return {
    commands: commands.map((command) => {
      const { name, args, summary, description = null, choices = null, verbs = null } = command;
      return { name, args, summary, description, choices, verbs, options: optionsOf(command) };
    }),
  };
}
