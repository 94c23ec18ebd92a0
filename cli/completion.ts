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
  /** `` at the start, a group's word, a command's whole name, or help and what it may be of. */
  after: string;
  words: Candidate[];
  /** Where these alone may stand, counted from the program, which is 0; null: anywhere. */
  at: number | null;
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
  const help = commands.find(({ name }) => name === "help");
  const helpOptions = help === undefined ? [] : Object.entries(optionsOf(help));
  return [
    ...Array.from(groups, ([after, words]): Node => ({ after, words, at: null, options: [] })),
    ...commands.map((command): Node => {
      const { name, choices = [], verbs } = command;
      const values = (verbs ?? choices).map((word) => ({ word, help: "" }));
      const words = name === "help" ? tops : values;
      const at = verbs === undefined ? null : name.split(" ").length + 2;
      return { after: name, words, at, options: Object.entries(optionsOf(command)) };
    }),
    ...tops.map(({ word }): Node => {
      const words = groups.get(word) ?? [];
      return { after: `help ${word}`, words, at: 3, options: helpOptions };
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
  const cases = nodes.map(({ after, words, at, options }) => {
    const flags = options.map(([name]) => `--${name}`).join(" ");
    const plain = words.map(({ word }) => word).join(" ");
    const where = at === null ? "" : `((COMP_CWORD == ${at})) && `;
    return `    ${quote(after)}) flags=${quote(flags)}; ${where}words=${quote(plain)} ;;`;
  });
  const values = valueCases(nodes, (given, choices) => {
    const among = quote(choices.join(" "));
    return `    ${quote(given)}) COMPREPLY=($(compgen -W ${among} -- "$now")); return ;;`;
  });
  return `_brink() {
  local now="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}"
  local first="\${COMP_WORDS[1]}" second="\${COMP_WORDS[2]}" after='' words='' flags=''
  # --mode=bm25 is three words here.
  if [[ "$now" == = ]]; then now=''
  elif [[ "$before" == = ]]; then before="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  ((COMP_CWORD > 1)) && after="$first"
  case "$after" in
${groupCases(nodes, '((COMP_CWORD > 2)) && after="$first $second"')}
  esac
  case "$after" in
${cases.join("\n")}
  esac
  case "$after $before" in
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
  const cases = nodes.map(({ after, words, at, options }) => {
    const flags = options.map(([name, { help }]) => pair({ word: `--${name}`, help }));
    const list = words.map(pair);
    const where = at === null ? "" : `((CURRENT == ${at + 1})) && `;
    return `    ${quote(after)}) flags=(${flags.join(" ")}); ${where}all=(${list.join(" ")}) ;;`;
  });
  const values = valueCases(nodes, (given, choices) => {
    return `    ${quote(given)}) compadd -- ${choices.map(quote).join(" ")}; return ;;`;
  });
  // zsh looks behind an alias: what it completes then is the program's own name.
  return `#compdef brink brink.js
_brink() {
  local after='' before="\${words[CURRENT-1]}"
  local -a all flags
  if [[ "$PREFIX" == --*=* ]]; then
    before="\${PREFIX%%=*}"
    compset -P '*='
  fi
  ((CURRENT > 2)) && after="\${words[2]}"
  case "$after" in
${groupCases(nodes, '((CURRENT > 3)) && after="$words[2] $words[3]"')}
  esac
  case "$after" in
${cases.join("\n")}
  esac
  case "$after $before" in
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
  const lines = nodes.flatMap(({ after, words, at, options }) => {
    const test = `__brink_after ${quoteFish(after)}`;
    const when = `-n ${quoteFish(test)}`;
    const place = at === null ? "" : `; and test (count (commandline -opc)) -eq ${at}`;
    const there = `-n ${quoteFish(test + place)}`;
    return [
      ...words.map(({ word, help }) => `complete -c brink -f ${there} -a ${word}${about(help)}`),
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

/** A line for each option of a command whose values are known: `given` is both, as they are
 *  typed. */
function valueCases(
  nodes: Node[],
  line: (given: string, choices: readonly string[]) => string,
): string {
  const lines = nodes.flatMap(({ after, options }) =>
    options.flatMap(([name, { choices }]) =>
      choices === undefined ? [] : [line(`${after} --${name}`, choices)],
    ),
  );
  return lines.join("\n");
}
