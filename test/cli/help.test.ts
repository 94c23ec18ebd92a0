/** The command line's table of commands: help, errors of use, and completion, which all read it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type Command, optionsOf, parseCommand } from "../../cli/command.ts";
import { COMMANDS } from "../../cli/commands.ts";
import { completionCommand } from "../../cli/completion.ts";
import {
  describeAll,
  describeCommand,
  findCommand,
  refuseUnknown,
  spellHelp,
} from "../../cli/help.ts";
import { nearest } from "../../cli/nearest.ts";
import { runBrink } from "../support/brink-cli.ts";
import { runCommand } from "./said.ts";

const command = (name: string): Command => COMMANDS.find((one) => one.name === name)!;

it("the word that is meant is the nearest one, and none is where all are far", () => {
  expect(nearest("serch", ["search", "snapshot"])).toBe("search");
  expect(nearest("moed", ["json", "mode"])).toBe("mode"); // two letters that changed places
  expect(nearest("models", ["models", "model"])).toBe("models");
  expect(nearest("deploy", ["ask", "keys"])).toBeNull();
  expect(nearest("", ["ask"])).toBeNull();
});

it("each command is found by its words, helped with by its options, and named once", () => {
  expect(new Set(COMMANDS.map(({ name }) => name)).size).toBe(COMMANDS.length);
  const all = describeAll(COMMANDS);
  for (const one of COMMANDS) {
    expect(findCommand(COMMANDS, [...one.name.split(" "), "x"])).toEqual({
      command: one,
      rest: ["x"],
    });
    expect(all).toContain(`${one.name} ${one.args}`.trimEnd());
    expect(one.summary).toMatch(/^[A-Z].*\.$/);
    for (const name of Object.keys(optionsOf(one)))
      expect(describeCommand(one)).toMatch(new RegExp(`--${name}\\b`));
  }
});

it("help names every value that an option may have", () => {
  for (const one of COMMANDS)
    for (const [name, { choices = [] }] of Object.entries(optionsOf(one)))
      for (const choice of choices)
        expect(describeCommand(one), `${one.name} --${name}`).toMatch(
          new RegExp(`\\b${choice}\\b`),
        );
});

it("an unknown command, verb, option or value is told with what was meant", () => {
  const refuse = (...words: string[]) => refuseUnknown(COMMANDS, words).message;
  expect(refuse("serch", "docs")).toBe('there is no command "serch": did you mean search?');
  expect(refuse("keys", "crate")).toBe(
    'there is no command "keys crate": did you mean keys create?',
  );
  expect(refuse("models")).toBe("what of models? It is one of add, list, remove");
  expect(refuse("qqqqqqqq")).toBe('there is no command "qqqqqqqq"');
  const parse = (...args: string[]) => parseCommand(command("search"), args);
  expect(() => parse("--moed", "bm25")).toThrow("unknown option --moed: did you mean --mode?");
  expect(() => parse("--zzzzzzzz")).toThrow(/^unknown option --zzzzzzzz$/);
  expect(() => parse("--mode", "fast")).toThrow('--mode is hybrid, bm25 or vector, not "fast"');
  expect(() => parse("--k")).toThrow("argument missing");
  expect(parse("docs", "-h").values.help).toBe(true);
});

it("every command takes --json, and wrong use is told in it as well", async () => {
  for (const one of COMMANDS) expect(Object.keys(optionsOf(one))).toContain("json");
  const [wrong, failed, help, version] = await Promise.all([
    runBrink(["keys", "crate", "--json"]),
    runBrink(["models", "list", "--json", "--url", "http://127.0.0.1:9"]),
    runBrink(["help", "keys", "--json"]),
    runBrink(["--version"]),
  ]);
  expect([wrong.code, JSON.parse(wrong.out).error.code]).toEqual([2, "usage"]);
  expect(wrong.said).toContain("did you mean keys create?");
  expect([failed.code, JSON.parse(failed.out).error.code]).toEqual([1, null]);
  expect(JSON.parse(failed.out).error.message).toContain("cannot be reached");
  const names = JSON.parse(help.out).commands.map(({ name }: Command) => name);
  expect(names).toContain("keys create");
  expect(names.every((name: string) => name.startsWith("keys "))).toBe(true);
  expect(version.out).toMatch(/^\d+\.\d+\.\d+\n$/);
});

it("help is had by its word, by --help and of a group, and of itself", async () => {
  const spelt = (...words: string[]) => spellHelp(COMMANDS, words);
  for (const words of [[], ["--help"], ["-h"]]) expect(spelt(...words)).toEqual(["help"]);
  for (const word of ["--help", "-h"]) expect(spelt("keys", word)).toEqual(["help", "keys"]);
  expect(spelt("keys", "--json", "-h")).toEqual(["help", "keys", "--json"]);
  for (const words of [["keys"], ["keys", "list", "-h"], ["keys", "crate", "-h"], ["ask", "-h"]])
    expect(spelt(...words)).toEqual(words);
  const [group, itself, wrong] = await Promise.all([
    runBrink(["keys", "--help"]),
    runBrink(["help", "help"]),
    runBrink(["help", "serch"]),
  ]);
  const { out } = await runCommand(command("help"), ["keys"], {});
  expect(group).toEqual({ code: 0, out: `${out}\n`, said: "" });
  expect(out).toContain("keys create");
  expect([itself.code, itself.out]).toEqual([0, expect.stringContaining("help [COMMAND]")]);
  expect([wrong.code, wrong.said]).toEqual([
    2,
    expect.stringMatching(/did you mean search\?\nnpx brink help lists them\n$/),
  ]);
});

it("the help says which key will do, and what of a namespace is fixed", () => {
  for (const name of ["ask", "search"])
    expect(describeCommand(command(name))).toMatch(/--key KEY +a key with the scope inference, or/);
  expect(describeCommand(command("keys list"))).toMatch(/--key KEY +an admin key \(/);
  expect(describeCommand(command("init"))).toContain("BRINK_KEY and BACKEND_KEY, where those");
  const { description } = command("namespaces create");
  expect(description).toContain("vector_tier are fixed once the namespace has documents");
});

/** What bash offers at the end of a line, by the script itself. */
async function offeredByBash(script: string, line: string): Promise<string[]> {
  const words = line.split(/ |(?<==)|(?==)/); // a `=` is a word of its own to it
  const program = `${script}
    COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}
    _brink; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const out = execFileSync("bash", ["--norc", "-c", program], { encoding: "utf8" });
  return out.split("\n").filter((word) => word !== "");
}

it("bash completes commands, verbs, options and their values", async () => {
  const { result } = await runCommand(command("completion"), ["bash"], { json: true });
  const { script } = result as { script: string };
  const offered = (line: string) => offeredByBash(script, line);
  expect(await offered("brink se")).toEqual(["search"]);
  const tops = new Set(COMMANDS.map(({ name }) => name.split(" ")[0]));
  expect((await offered("brink ")).sort()).toEqual([...tops].sort());
  expect(tops).toContain("help");
  expect(await offered("brink help ke")).toEqual(["keys"]);
  expect(await offered("brink keys r")).toEqual(["rotate", "revoke"]);
  expect(await offered("brink keys create --ten")).toEqual(["--tenant"]);
  expect(await offered("brink search docs --mode ")).toEqual(["hybrid", "bm25", "vector"]);
  expect(await offered("brink completion ")).toEqual(["bash", "zsh", "fish"]);
  expect(await offered("brink help keys r")).toEqual(["rotate", "revoke"]);
  expect(await offered("brink help keys --j")).toEqual(["--json"]);
  expect(await offered("brink snapshot ")).toEqual([]);
  expect(await offered("brink snapshot docs re")).toEqual(["restore", "remove"]);
  expect(await offered("brink snapshot docs restore ")).toEqual([]);
  expect(await offered("brink search docs --mode=")).toEqual(["hybrid", "bm25", "vector"]);
  expect(await offered("brink search docs --mode=v")).toEqual(["vector"]);
  expect(await offered("brink ingest a --type h")).toEqual(["html"]);
  expect(await offered("brink models add a --type ")).toEqual([]); // another command's are not its
  expect(await offered("brink ingest ")).toEqual([]); // files, which complete -o default offers
});

it("the lines for ~/.bashrc make a word for any folder, and ask no registry", async () => {
  const { description } = command("completion");
  expect(description).not.toContain("npx");
  const [, lines] = /in ~\/\.bashrc:\n((?: {2}.*\n)+)/.exec(description!)!;
  const folder = mkdtempSync(join(tmpdir(), "brink-alias-"));
  try {
    const rc = join(folder, "bashrc");
    writeFileSync(rc, lines!);
    // As an interactive shell has them, without one that would take the terminal.
    const program = `shopt -s expand_aliases; . ${rc}; eval 'brink --version'; complete -p brink`;
    const options = { cwd: folder, encoding: "utf8" } as const;
    const out = execFileSync("bash", ["--norc", "-c", program], options);
    expect(out).toMatch(/^\d+\.\d+\.\d+\ncomplete .* -F _brink brink\n$/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("zsh and fish get every command and option, with what would end a quote escaped", async () => {
  const odd: Command = {
    name: "odd",
    args: "",
    summary: "It's \\ odd.",
    options: { flag: { type: "string", help: "what's given" } },
    run: async () => null,
  };
  const all = completionCommand(() => [...COMMANDS, odd]);
  for (const shell of ["zsh", "fish"]) {
    const { result } = await runCommand(all, [shell], { json: true });
    const { script } = result as { script: string };
    for (const one of COMMANDS) {
      expect(script).toContain(one.name.split(" ").at(-1));
      for (const name of Object.keys(optionsOf(one))) expect(script).toContain(name);
    }
    expect(script).toContain(shell === "zsh" ? "It'\\''s \\ odd." : "It\\'s \\\\ odd.");
  }
  await expect(runCommand(all, ["ksh"], {})).rejects.toThrow("it is bash, zsh or fish");
});
