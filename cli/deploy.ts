/** `brink deploy`: from a Cloudflare account to a URL that answers, as `npm run deploy`. */
import { DEPLOY_OPTIONS } from "../scripts/deploy-options.ts";
import { type Command, CommandError, UsageError } from "./command.ts";
import { runScript } from "./run-script.ts";

export const deploy: Command = {
  name: "deploy",
  args: "",
  summary: "Deploy to Cloudflare, as npm run deploy does.",
  description:
    "After npx wrangler login it makes what is missing, deploys, sets the first key and shows\n" +
    "it once, asks a question and prints the URL with a call to try. It can be called again.",
  options: DEPLOY_OPTIONS,
  async run(positionals, values) {
    if (positionals.length > 0) throw new UsageError(`unexpected ${positionals.join(" ")}`);
    const args = Object.entries(values).flatMap(([name, value]) =>
      value === undefined ? [] : value === true ? [`--${name}`] : [`--${name}`, String(value)],
    );
    const { code, out } = await runScript("deploy.ts", args, { capture: values.json === true });
    return values.json ? parse(out) : { code };
  },
  exitCode(result) {
    const { code = 0, error } = result as { code?: number; error?: object };
    return error === undefined ? code : 1;
  },
};

function parse(out: string): object {
  try {
    return JSON.parse(out) as object;
  } catch {
    throw new CommandError(`npm run deploy failed before it could print its result`);
  }
}
