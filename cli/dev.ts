/** `brink dev`: the whole service on this machine, as `npm start`. */
import { resolve } from "node:path";
import { type Command, countOf, UsageError } from "./command.ts";
import { runScript } from "./run-script.ts";

const PORT_DEFAULT = 8787;

/** Options and the variables of `npm start` that they stand for. */
const VARIABLES = {
  "backend-url": "BACKEND_URL",
  "backend-model": "BACKEND_MODEL",
  generator: "BRINK_GENERATOR_MODEL",
} as const;

export const dev: Command = {
  name: "dev",
  args: "",
  summary: "Run the whole service on this machine, as npm start does.",
  description:
    "It goes on until Ctrl-C. What .dev.vars and the environment set holds where no option says\n" +
    "otherwise; a backend's key is BACKEND_KEY, which is no option: others could see it.",
  options: {
    port: { type: "string", value: "N", help: `of 127.0.0.1 (PORT, or ${PORT_DEFAULT})` },
    state: { type: "string", value: "DIR", help: "where it keeps its state (BRINK_STATE, .brink)" },
    "backend-url": { type: "string", value: "URL", help: "an OpenAI-compatible server's /v1" },
    "backend-model": { type: "string", value: "MODEL", help: "what is asked of it" },
    generator: { type: "string", value: "NAME", help: "the stored model that auto may ask" },
    onnx: { type: "boolean", help: "start the Worker for ONNX models as well" },
  },
  async run(positionals, values) {
    if (positionals.length > 0) throw new UsageError(`unexpected ${positionals.join(" ")}`);
    if (values.json) throw new UsageError("dev goes on until it is ended: it has no --json");
    const env: Record<string, string> = {};
    if (values.port !== undefined) env.PORT = `${countOf(values, "port", 0, 1, 65_535)}`;
    if (values.state !== undefined) env.BRINK_STATE = resolve(String(values.state));
    if (values.onnx) env.BRINK_ONNX = "1";
    for (const [option, name] of Object.entries(VARIABLES))
      if (values[option] !== undefined) env[name] = String(values[option]);
    return runScript("start.ts", [], { env });
  },
  exitCode: (result) => (result as { code: number }).code,
};
