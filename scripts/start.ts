/** `npm start`: the whole service on http://127.0.0.1:8787 (PORT). */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { withoutAnswered } from "./answered-errors.ts";
import { forwardedFrom, readSwitch } from "./forwarded.ts";
import { exitOnSignals, LOCAL_ADMIN_KEY, LOCAL_KEY, startService } from "./service.ts";

const root = join(import.meta.dirname, "..");
execFileSync(process.execPath, [join(root, "scripts/build.ts")], { stdio: "inherit" });

// As under wrangler dev, which does not read it here; what the environment has goes first.
const devVars = join(root, ".dev.vars");
if (existsSync(devVars)) process.loadEnvFile(devVars);

// Cloudflare puts few objects into an isolate of 128 MB; here all share one.
const variables: Record<string, string> = {
  BRINK_ISOLATE_MEMORY_MB: "1000",
  ...forwardedFrom(process.env),
};

exitOnSignals();
const port = Number(process.env.PORT || 8787);
if (!Number.isInteger(port) || port < 0 || port > 65_535)
  refuse(`PORT is a number from 0 to 65535, not ${JSON.stringify(process.env.PORT)}`);
const onnx = isOn("BRINK_ONNX");
let last = "";
const service = await startService({
  port,
  state: process.env.BRINK_STATE || join(root, ".brink"),
  variables,
  onnx,
  onLog: withoutAnswered((line) => console.error(line)),
  onProgress: (detail) => {
    if (detail !== last) console.log(detail);
    last = detail;
  },
}).catch((error: Error) => refuse(`the service did not start: ${error.message}`));
const backends = variables.BACKENDS ? "those of BACKENDS" : variables.BACKEND_URL;
console.log(`console    ${service.url}/console
keys       ${LOCAL_KEY} (inference), ${LOCAL_ADMIN_KEY} (admin); local runs only
backend    ${backends ?? "none (set BACKEND_URL, BACKEND_KEY, BACKEND_MODEL)"}
generator  ${variables.BRINK_GENERATOR_MODEL ?? "none (see npx brink help models add)"}
ready ${service.url}`);
service.process.once("exit", (code) => process.exit(code ?? 1));

function isOn(name: string): boolean {
  try {
    return readSwitch(name, process.env[name]);
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function refuse(why: string): never {
  console.error(why);
  process.exit(1);
}
