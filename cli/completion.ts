/** `brink completion`: scripts that complete commands and options in a shell, made from the table
 *  of commands that help is made from. */
import { join } from "node:path";
import { type Command, type CommandOption, oneOf, optionsOf, UsageError } from "./command.ts";
import { root } from "./run-script.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
/** Absolute: outside of the checkout `npx brink` asks the registry for a package of that name, and
 *  what a stranger published there would be run, and its output evaluated, at every login. */
const PROGRAM = shellWord(join(root, "bin/brink.js"));

/** The command. `commands` gives the table, which this command is itself in. */
export function completionCommand(commands: () => readonly Command[]): Command {
  return {
    name: "completion",
    args: "bash|zsh|fish",
    summary: "Print a script that completes commands and options in a shell.",
    description:
      "It completes the word brink, which an alias makes one in every folder.\n\n" +
      `bash, in ~/.bashrc:\n  ${aliased("bash")}\n` +
      `zsh, in ~/.zshrc after compinit:\n  ${aliased("zsh")}\n` +
      `fish, once:\n  alias --save brink ${quoteFish(PROGRAM)}\n` +
      `  ${PROGRAM} completion fish > ~/.config/fish/completions/brink.fish`,
    choices: SHELLS,
    options: {},
    async run([shell, ...more], values) {
      if (!SHELLS.includes(shell as never) || more.length > 0)
        throw new UsageError(`it is ${oneOf(SHELLS)}`);
      const script = SCRIPTS[shell as (typeof SHELLS)[number]](nodesOf(commands()));
      if (!values.json) process.stdout.write(script);
      return { shell, script };
    },
  };
}

/** The lines that a shell's start-up file has. */
function aliased(shell: string): string {
  return `alias brink=${quote(PROGRAM)}\n  eval "$(${PROGRAM} completion ${shell})"`;
}

interface Candidate {
  word: string;
  help: string;
}

/** What may follow some words of a command line. */
interface Node {
  /** `` at the start, a group's word, or a command's whole name. */
  after: string;
  words: Candidate[];
  options: [name: string, option: CommandOption][];
}

function nodesOf(commands: readonly Command[]): Node[] {
  const groups = new Map<string, Candidate[]>([["", []]]);
  const put = (after: string, word: string, help: string) => {
    const words = groups.get(after) ?? [];
    if (!words.some((known) => known.word === word)) words.push({ word, help });
    groups.set(after, words);
  };
  for (const { name, summary } of commands) {
    const [first, second] = name.split(" ");
    put("", first!, second === undefined ? summary : `${first} commands`);
    if (second !== undefined) put(first!, second, summary);
  }
  const tops = groups.get("")!.filter(({ word }) => word !== "help");
  return [
    ...Array.from(groups, ([after, words]): Node => ({ after, words, options: [] })),
    ...commands.map((command): Node => {
      const choices = (command.choices ?? []).map((word) => ({ word, help: "" }));
      const words = command.name === "help" ? tops : choices;
      return { after: command.name, words, options: Object.entries(optionsOf(command)) };
    }),
  ];
}

/** Single-quoted, as sh and zsh read it. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Quoted only where a shell would cut it or read something into it. */
function shellWord(text: string): string {
  return /^[\w./@+-]+$/.test(text) ? text : quote(text);
}

/** As fish reads it: there a backslash escapes within single quotes. */
function quoteFish(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}

function bash(nodes: Node[]): string {
  const cases = nodes.map(({ after, words, options }) => {
    const flags = options.map(([name]) => `--${name}`).join(" ");
    const plain = words.map(({ word }) => word).join(" ");
    return `    ${quote(after)}) words=${quote(plain)} flags=${quote(flags)} ;;`;
  });
  const values = valueCases(nodes, (name, choices) => {
    const pattern = `    ${quote(`--${name}`)}) `;
    return `${pattern}COMPREPLY=($(compgen -W ${quote(choices.join(" "))} -- "$now")); return ;;`;
  });
  return `_brink() {
  local now="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}"
  local first="\${COMP_WORDS[1]}" second="\${COMP_WORDS[2]}" after='' words='' flags=''
  ((COMP_CWORD > 1)) && after="$first"
  case "$after" in
${groupCases(nodes, '((COMP_CWORD > 2)) && after="$first $second"')}
  esac
  case "$after" in
${cases.join("\n")}
  esac
  case "$before" in
${values}
  esac
  [[ "$now" == -* ]] && words="$flags"
  COMPREPLY=($(compgen -W "$words" -- "$now"))
}
complete -o default -F _brink brink
`;
}

function zsh(nodes: Node[]): string {
  const pair = ({ word, help }: Candidate) => quote(help === "" ? word : `${word}:${help}`);
  const cases = nodes.map(({ after, words, options }) => {
    const flags = options.map(([name, { help }]) => pair({ word: `--${name}`, help }));
    const list = words.map(pair);
    return `    ${quote(after)}) all=(${list.join(" ")}); flags=(${flags.join(" ")}) ;;`;
  });
  const values = valueCases(nodes, (name, choices) => {
    return `    ${quote(`--${name}`)}) compadd -- ${choices.map(quote).join(" ")}; return ;;`;
  });
  // zsh looks behind an alias: what it completes then is the program's own name.
  return `#compdef brink brink.js
_brink() {
  local after='' before="\${words[CURRENT-1]}"
  local -a all flags
  ((CURRENT > 2)) && after="\${words[2]}"
  case "$after" in
${groupCases(nodes, '((CURRENT > 3)) && after="$words[2] $words[3]"')}
  esac
  case "$after" in
${cases.join("\n")}
  esac
  case "$before" in
${values}
  esac
  if [[ "\${words[CURRENT]}" == -* ]]; then
    _describe 'option' flags
  elif ((\${#all})); then
    _describe 'command' all
  else
    _files
  fi
}
compdef _brink brink brink.js
`;
}

function fish(nodes: Node[]): string {
  const about = (help: string) => (help === "" ? "" : ` -d ${quoteFish(help)}`);
  const lines = nodes.flatMap(({ after, words, options }) => {
    const when = `-n ${quoteFish(`__brink_after ${quoteFish(after)}`)}`;
    return [
      ...words.map(({ word, help }) => `complete -c brink -f ${when} -a ${word}${about(help)}`),
      ...options.map(([name, { type, choices, short, help }]) => {
        const given = type === "string" ? ` -r` : "";
        const among = choices ? ` -f -a ${quoteFish(choices.join(" "))}` : "";
        const letter = short ? ` -s ${short}` : "";
        return `complete -c brink ${when} -l ${name}${letter}${given}${among}${about(help)}`;
      }),
    ];
  });
  const groups = namesOfGroups(nodes).join(" ");
  return `function __brink_after
  set -l typed (commandline -opc)[2..-1]
  set -l after ''
  if set -q typed[1]
    set after $typed[1]
    if contains -- $typed[1] ${groups}; and set -q typed[2]
      set after "$typed[1] $typed[2]"
    end
  end
  test "$after" = "$argv[1]"
end
${lines.join("\n")}
`;
}

const SCRIPTS: Record<(typeof SHELLS)[number], (nodes: Node[]) => string> = { bash, zsh, fish };

function namesOfGroups(nodes: Node[]): string[] {
  const names = new Set(nodes.map(({ after }) => after.split(" ")).filter((words) => words[1]));
  return [...new Set(Array.from(names, ([first]) => first!))];
}

/** A line of a `case` for each group, all with the same deed. */
function groupCases(nodes: Node[], deed: string): string {
  const names = namesOfGroups(nodes);
  return names.map((name) => `    ${quote(name)}) ${deed} ;;`).join("\n");
}

/** A line for each option whose values are known. */
function valueCases(
  nodes: Node[],
  line: (name: string, choices: readonly string[]) => string,
): string {
  const known = new Map<string, readonly string[]>();
  for (const [name, { choices }] of nodes.flatMap(({ options }) => options))
    if (choices !== undefined) known.set(name, choices);
  return Array.from(known, ([name, choices]) => line(name, choices)).join("\n");
}
